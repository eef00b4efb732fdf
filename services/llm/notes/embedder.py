"""Sentence embeddings with the shipped MiniLM, on ONNX Runtime."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from parley.errors import EngineUnavailable

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
_REMEMBERED = 4096

Vectors = NDArray[np.float32]


class Embedder:
    """Text in, unit vectors out. Safe to share between threads; one core per call."""

    def __init__(self, weights: Path = WEIGHTS) -> None:
        """Loads the model and checks that the files are the ones that the manifest names.

        Raises:
            EngineUnavailable: A file is missing or is not the right one.
        """
        try:
            self.manifest = json.loads((weights / "manifest.json").read_text(encoding="utf-8"))
            files = {name: (weights / name).read_bytes() for name in self.manifest["sha256"]}
        except (OSError, ValueError) as error:
            raise EngineUnavailable(
                f"The sentence embedder cannot be read: {error}.",
                fix=f"Restore {weights} from the repository, or make it: `training/llm/export_embedder.py`.",
            ) from error
        for name, data in files.items():
            if hashlib.sha256(data).hexdigest() != self.manifest["sha256"][name]:
                raise EngineUnavailable(
                    f"{weights / name} is not the file that manifest.json names.",
                    fix="Restore it from the repository.",
                )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            files["minilm-l6-int8.onnx"], options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_buffer(files["tokenizer.json"])
        self._known: dict[str, Vectors] = {}

    def embed(self, text: str) -> Vectors:
        """The meaning of `text` as a unit vector float32 [384]; about 2 ms for a short sentence."""
        known = self._known.get(text)
        if known is None:
            # One text at a time: activations are quantized per batch, so company would change the vector.
            ids = np.array([self._tokenizer.encode(text).ids], np.int64)
            known = self._session.run(None, {"ids": ids, "mask": np.ones_like(ids)})[0][0]
            if len(self._known) < _REMEMBERED:
                self._known[text] = known
        return known

    def embed_all(self, texts: Sequence[str]) -> Vectors:
        """float32 [len(texts), 384]."""
        return np.stack([self.embed(text) for text in texts])
