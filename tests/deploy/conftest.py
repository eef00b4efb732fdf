"""Tests that need tools from outside (Docker; kubectl and kubernetes-validate) are collected only when this
folder is asked for by name: `python -m pytest tests/deploy`."""

from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves this folder out of `pytest tests`."""
    asked = any(Path(arg.split("::")[0]).resolve().is_relative_to(HERE) for arg in config.args)
    return None if asked else True
