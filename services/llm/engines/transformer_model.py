"""The small transformer on ONNX Runtime: tokens in, the next one's logits out, with keys and values kept."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from parley.errors import EngineUnavailable

GRAPH = "model.int8.onnx"
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

Floats = NDArray[np.float32]
Adapter = Mapping[str, Floats]
_FIX = "Make them: see training/llm/README.md; or name another folder in PARLEY_LLM_TRANSFORMER."


@dataclass(frozen=True, slots=True)
class Past:
    """What was computed for the tokens so far: keys and values float32 [layers, heads, tokens, head_size]."""

    keys: Floats
    values: Floats

    def __len__(self) -> int:
        return int(self.keys.shape[2])

    def upto(self, tokens: int) -> "Past":
        """Of the first so many tokens."""
        return Past(self.keys[:, :, :tokens], self.values[:, :, :tokens])


class TransformerModel:
    """Shared by all conversations; safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        """Loads the graph and checks that the files are the ones that the manifest names.

        Raises:
            EngineUnavailable: A file is missing or is not the right one.
        """
        try:
            self.manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            files = {name: (folder / name).read_bytes() for name in self.manifest["sha256"]}
        except (OSError, ValueError, KeyError) as error:
            raise EngineUnavailable(
                f"The small transformer's weights cannot be read: {error}.", fix=_FIX
            ) from error
        for name, data in files.items():
            if hashlib.sha256(data).hexdigest() != self.manifest["sha256"][name]:
                raise EngineUnavailable(
                    f"{folder / name} is not the file that manifest.json names.", fix=_FIX
                )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            files[GRAPH], options, providers=["CPUExecutionProvider"]
        )
        self.tokenizer = Tokenizer.from_buffer(files["tokenizer.json"])
        sizes = self.manifest["sizes"]
        self.context = int(sizes["context"])
        self._layers, self._heads, self._head = sizes["layers"], sizes["heads"], sizes["head_size"]
        self._plain = self._without_adapter(int(sizes["width"]), int(sizes["inner"]))

    def nothing(self) -> Past:
        """The past of a talk that has not begun."""
        empty = np.zeros((self._layers, self._heads, 0, self._head), np.float32)
        return Past(empty, empty)

    def read(self, ids: NDArray[np.int64], past: Past, adapter: Adapter | None = None) -> tuple[Floats, Past]:
        """Reads tokens after `past`; blocks for some milliseconds.

        Args:
            ids: int64 [tokens], at least one.
            past: See `Past`.
            adapter: As `read_adapter` gives it; None: the model alone.

        Returns:
            The next token's logits float32 [vocabulary], and the past with these tokens.
        """
        feed = {"ids": ids[None].astype(np.int64), "keys": past.keys, "values": past.values}
        logits, keys, values = self._session.run(None, {**feed, **self._plain, **(adapter or {})})
        return logits, Past(keys, values)

    def read_adapter(self, path: Path) -> Adapter:
        """Reads a low-rank adapter that `training.llm.export` wrote.

        Raises:
            EngineUnavailable: It is missing, or made for another model.
        """
        try:
            with np.load(path) as arrays:
                adapter = {name: arrays[name].astype(np.float32) for name in arrays.files}
        except (OSError, ValueError) as error:
            raise EngineUnavailable(
                f"The adapter {path} cannot be read: {error}.",
                fix="Write it with `python -m training.llm.export adapter`, or take `mind.adapter` out.",
            ) from error
        for name, array in adapter.items():
            plain = self._plain.get(name)
            rank = 2 if name.endswith("a") else 1
            if (
                plain is None
                or np.delete(plain.shape, rank).tolist() != np.delete(array.shape, rank).tolist()
            ):
                raise EngineUnavailable(f"The adapter {path} was made for another model ({name}).", fix=_FIX)
        return adapter

    def _without_adapter(self, width: int, inner: int) -> Adapter:
        """An adapter that changes nothing."""
        found = {}
        for name in LORA_TARGETS:
            into = inner if name == "down_proj" else width
            out = inner if name in ("gate_proj", "up_proj") else width
            found[f"{name}.a"] = np.zeros((self._layers, into, 1), np.float32)
            found[f"{name}.b"] = np.zeros((self._layers, 1, out), np.float32)
        return found
