"""The language model of pocketsphinx, adapted to conversation."""
