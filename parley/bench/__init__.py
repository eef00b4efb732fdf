"""Measurements over the public websocket; `parley bench …` is their command line."""
