"""Sentence embeddings with the shipped MiniLM, on ONNX Runtime."""

import hashlib
import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from parley.errors import EngineUnavailable

WEIGHTS = Path(__file__).resolve().parents[1] / "weights"
_REMEMBERED = 4096
_KEY_BYTES = 16

Vectors = NDArray[np.float32]
log = logging.getLogger(__name__)


class Embedder:
    """Text in, unit vectors out. Safe to share between threads; one core per call."""

    def __init__(self, weights: Path = WEIGHTS, *, cache: Path | None = None) -> None:
        """Loads the model and checks that the files are the ones that the manifest names.

        Args:
            weights: Folder of the model.
            cache: File in which `keep` leaves the vectors of notes for the next start, by hashes of texts;
                None: they are computed each time, which takes some seconds for three avatars.

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
        self._cache, self._noted = cache, dict[bytes, Vectors]()
        self._cached = self._read_cache() if cache is not None and cache.is_file() else {}

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
        """Of notes: float32 [len(texts), 384]."""
        keys = [self._key(text) for text in texts]
        for key, text in zip(keys, texts, strict=True):
            if key not in self._noted:
                known = self._cached.get(key)
                self._noted[key] = self.embed(text) if known is None else known
        return np.stack([self._noted[key] for key in keys])

    def keep(self) -> None:
        """Writes the vectors of all notes so far to the cache, if there are new ones."""
        if self._cache is None or self._noted.keys() <= self._cached.keys():
            return
        keys = np.frombuffer(b"".join(self._noted), np.uint8).reshape(-1, _KEY_BYTES)
        try:
            self._cache.parent.mkdir(parents=True, exist_ok=True)
            # Another process may be writing the same file, and another user may read it.
            with tempfile.TemporaryDirectory(dir=self._cache.parent) as work:
                made = Path(work) / self._cache.name
                np.savez(made, keys=keys, vectors=np.stack(list(self._noted.values())))
                os.replace(made, self._cache)
        except OSError as error:
            log.warning(
                "the notes' vectors are not kept, so the next start takes as long",
                extra={"path": str(self._cache), "reason": error.strerror},
            )

    def _read_cache(self) -> dict[bytes, Vectors]:
        assert self._cache is not None
        try:
            with np.load(self._cache) as kept:
                return {bytes(k): v for k, v in zip(kept["keys"], kept["vectors"], strict=True)}
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            log.warning(
                "the notes' kept vectors cannot be read and are made again",
                extra={"path": str(self._cache), "reason": str(error)},
            )
            return {}

    def _key(self, text: str) -> bytes:
        """Of a text and these weights."""
        signed = json.dumps([self.manifest["sha256"], text]).encode()
        return hashlib.sha256(signed).digest()[:_KEY_BYTES]
