"""The studio's application over a small corpus, without a network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.unit.training.studio import corpus as small
from training.data.store import Corpus
from training.studio.app import create_app


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings, spoken once."""
    root = tmp_path_factory.mktemp("spoken") / "corpus"
    small.build(root)
    return root


@pytest.fixture
def corpus(spoken: Path, tmp_path: Path) -> Corpus:
    """A corpus of the test's own over the same recordings."""
    own = Corpus(tmp_path)
    own.clips_path.parent.mkdir()
    for name in ("clips.jsonl", "voices.json"):
        (tmp_path / "review" / name).write_bytes((spoken / "review" / name).read_bytes())
    (tmp_path / "blobs").symlink_to(spoken / "blobs")
    return own


@pytest.fixture
def http(corpus: Corpus, tmp_path: Path) -> Iterator[TestClient]:
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "studio.html").write_text("<!doctype html><title>Review</title>")
    (static / "assets" / "a-1.js").write_text("1")
    with TestClient(create_app(corpus, "small", static=static), base_url="http://127.0.0.1:8090") as client:
        yield client
