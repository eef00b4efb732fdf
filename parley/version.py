"""Which Parley this is."""

import importlib.metadata


def version() -> str:
    """Parley's version; "source" when it runs from a checkout that was never installed."""
    try:
        return importlib.metadata.version("parley")
    except importlib.metadata.PackageNotFoundError:
        return "source"
