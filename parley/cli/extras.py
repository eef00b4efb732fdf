"""Commands that need packages which talking does not: they are imported only when one is given."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from parley.errors import EngineUnavailable

# What their imports begin with; `scripts/setup` installs all of an extra, or nothing.
_MODULES: Final = {
    "data": ("mediapipe", "absl", "attr", "flatbuffers", "matplotlib"),
    "train": ("torch", "safetensors"),
}


def missing(extra: str) -> str:
    """The first module of an extra that is not installed; empty: all are."""
    return next((name for name in _MODULES[extra] if importlib.util.find_spec(name) is None), "")


@contextmanager
def installed(extra: str) -> Iterator[None]:
    """Says what to install where a package of `extra` is missing.

    Raises:
        EngineUnavailable: One is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise EngineUnavailable(
            f"This needs the package {error.name}.", fix=f"Run `scripts/setup python {extra}`."
        ) from error
