"""Fixtures that several layers share."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# Before anything imports NumPy: its threads wait for each other by spinning, which on a busy machine takes up
# to twenty times as long. Services set the same.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from parley.settings import REPOSITORY
from tests.stack import RunningStack

# How long examples take says how busy the machine is: benchmarks measure speed, tests do not. The same
# examples each time: a run finds what a change broke, and `make fuzz` looks for what nobody knows yet.
hypothesis.settings.register_profile(
    "untimed", deadline=None, derandomize=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")

ARTIFACTS = Path(__file__).resolve().parent.parent / "artifacts"
# Answers that tests record are signed with a key of their own, not with the developer's.
os.environ.setdefault("PARLEY_PROVENANCE_FOLDER", str(ARTIFACTS / "provenance"))


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where a test run leaves what people may want to see: screenshots, videos, logs."""
    ARTIFACTS.mkdir(exist_ok=True)
    return ARTIFACTS


@pytest.fixture(scope="session")
def stack(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One whole Parley for all tests that do it no harm; it remembers who asks for it, and has a maker."""
    folder = tmp_path_factory.mktemp("stack")
    (folder / "avatars").mkdir()  # of its own: avatars are made in it
    for avatar in REPOSITORY.glob("avatars/*/avatar.yaml"):
        (folder / "avatars" / avatar.parent.name).symlink_to(avatar.parent)
    env = {
        "PARLEY_GATEWAY_MEMORY": str(folder / "memory.db"),
        "PARLEY_AVATARS_DIR": str(folder / "avatars"),
        "PARLEY_SPOOL_DIR": str(folder / "spool"),
    }
    with RunningStack(artifacts / "logs" / "stack", env, maker=True) as running:
        yield running
