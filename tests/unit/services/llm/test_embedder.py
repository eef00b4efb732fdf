"""The shipped embedder."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from parley.errors import EngineUnavailable
from services.llm.notes.embedder import WEIGHTS, Embedder


def test_vectors_are_unit_and_tell_meaning() -> None:
    embedder = Embedder()
    hot, warm, other = embedder.embed_all(
        ["how hot should the water be for green tea", "what temperature is best for green tea", "who is theo"]
    )
    assert hot.shape == (384,)
    assert np.isclose(np.linalg.norm(hot), 1, atol=1e-4)
    assert hot @ warm > 0.8 > 0.3 > hot @ other


def test_the_int8_model_is_close_to_the_float_one() -> None:
    assert Embedder().manifest["worst_cosine_to_float"] >= 0.98
    assert (WEIGHTS / "minilm-l6-int8.onnx").stat().st_size <= 23_000_000


def test_missing_or_changed_weights_name_the_fix(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="export_embedder"):
        Embedder(tmp_path)
    shutil.copytree(WEIGHTS, tmp_path / "weights")
    (tmp_path / "weights" / "tokenizer.json").write_text("{}")
    with pytest.raises(EngineUnavailable, match="manifest"):
        Embedder(tmp_path / "weights")


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_vectors_of_notes_are_there_at_the_next_start(tmp_path: Path) -> None:
    notes, cache = ["green tea", "the moon"], tmp_path / "cache" / "notes.npz"
    first = Embedder(cache=cache)
    made = first.embed_all(notes)
    first.embed("what a person asks is not kept")
    first.keep()
    second = Embedder(cache=cache)
    second.embed = lambda text: pytest.fail(f"{text!r} is computed again")  # type: ignore[method-assign]
    assert np.array_equal(second.embed_all(notes), made)
    assert cache.stat().st_mode & 0o044 == 0o044 & ~umask(), (
        "an image is built by one user and run by another"
    )
    written = cache.stat().st_mtime_ns
    second.keep()
    assert cache.stat().st_mtime_ns == written, "nothing is new"
    with np.load(cache) as kept:
        assert len(kept["keys"]) == 2 and not any(b"tea" in name.encode() for name in kept.files)
    assert [path.name for path in cache.parent.iterdir()] == ["notes.npz"]


@pytest.mark.parametrize("content", [b"", b"PK no archive", b"nothing of the kind"])
def test_a_broken_cache_is_made_again_and_an_unwritable_one_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    cache = tmp_path / "notes.npz"
    cache.write_bytes(content)
    broken = Embedder(cache=cache)
    broken.embed_all(["green tea"])
    broken.keep()
    assert "made again" in caplog.text
    assert len(Embedder(cache=cache)._cached) == 1
    (tmp_path / "file").touch()
    nowhere = Embedder(cache=tmp_path / "file" / "notes.npz")
    nowhere.embed_all(["green tea"])
    nowhere.keep()
    assert "not kept" in caplog.text
