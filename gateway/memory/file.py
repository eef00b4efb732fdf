"""The SQLite file that all memory lives in. What is deleted is overwritten on the disk, not only unlinked."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from parley.errors import ConfigError

_BUSY_S = 5.0


def prepare(path: Path, schema: str) -> None:
    """Opens or makes the file and its tables.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(connected(path)) as connection, connection:
            connection.executescript(schema)
        path.chmod(0o600)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(
            f"The memory {path} cannot be used: {error}.",
            fix="Set PARLEY_GATEWAY_MEMORY to a file that can be written, or to nothing.",
        ) from error


def connected(path: Path) -> sqlite3.Connection:
    """A connection to the file, to be closed."""
    connection = sqlite3.connect(path, timeout=_BUSY_S)
    connection.execute("pragma secure_delete = on")
    connection.execute("pragma journal_mode = truncate")
    return connection


def hashed(person: str) -> str:
    """What the file holds in place of a person's secret."""
    return hashlib.sha256(person.encode()).hexdigest()
