"""One turn as the processes themselves tell it."""
