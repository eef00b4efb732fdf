"""People who talk for half an hour: nothing may grow."""
