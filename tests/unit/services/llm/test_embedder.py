"""The shipped embedder."""

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
