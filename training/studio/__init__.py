"""The studio: where people correct what the pipeline heard. `parley data review CONFIG` serves it."""
