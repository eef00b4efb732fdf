"""Tests of the trainers need the `train` extra; where it is missing, the summary says so."""

from importlib.util import find_spec

import pytest

MISSING = find_spec("torch") is None
collect_ignore_glob = ["*"] if MISSING else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says plainly what was left out."""
    if MISSING:
        terminalreporter.write_line(
            "tests/training: NOT RUN, the `train` extra is not installed (make test-training)"
        )
