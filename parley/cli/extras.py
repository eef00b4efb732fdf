"""Commands that need packages which talking does not: they are imported only when one is given."""

from collections.abc import Iterator
from contextlib import contextmanager

from parley.errors import EngineUnavailable


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
