"""The trained generator, run by ONNX Runtime: sound to latents, latents to aligned faces.

Three graphs, written by `training/sda/export.py`: what does not depend on speech (`identity`) is computed
once an avatar; `audio` carries its states from frame to frame; `decoder` draws. Both run frame by frame, so
that what is drawn does not depend on how the speech was cut.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from parley.engines import Picture
from parley.errors import EngineUnavailable
from services.sda.face.batcher import Batcher
from services.sda.face.mel import CONTEXT, MELS
from services.sda.face.motion import Upper

WEIGHTS = Path(__file__).parent.parent / "weights" / "gan"
GPU_BATCH = 32
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Identity:
    """What the decoder needs of a still, computed once: the code and the decoder's cached skips."""

    code: Floats
    skips: Mapping[str, Floats]


@dataclass(slots=True)
class Memory:
    """What one stream remembers from frame to frame: states of the audio's and the noise's GRU."""

    audio: Floats
    noise: Floats

    def copy(self) -> "Memory":
        """An independent one."""
        return Memory(self.audio.copy(), self.noise.copy())


class Generator:
    """Shared model.

    Args:
        folder: Exported weights.
        decoder: File of the decoder to run; None: float on a GPU, and int8 on a CPU, where it is three times
            faster.
        batch: Frames of all sessions drawn in one go; 0: 32 on a GPU, and 1 on a CPU, which gains nothing.

    Raises:
        EngineUnavailable: A file is missing, or is not the one that the manifest names.
    """

    made_by = "faces"  # the Makefile's target

    def __init__(self, folder: Path = WEIGHTS, *, decoder: str | None = None, batch: int = 0) -> None:
        providers = [
            name
            for name in ("CUDAExecutionProvider", "CPUExecutionProvider")
            if name in onnxruntime.get_available_providers()
        ]
        self.provider = providers[0]
        on_gpu = self.provider.startswith("CUDA")
        decoder = decoder or ("decoder.onnx" if on_gpu else "decoder.int8.onnx")
        self.about = self._verify(folder, ("config.json", "identity.onnx", "audio.onnx", decoder))
        model = self.about["model"]
        self.size, self._noise, self._spread = (
            int(model["size"]),
            int(model["noise"]),
            self.about["noise_spread"],
        )
        self._scale = np.array(self.about["control_scale"], np.float32)
        self._controls = tuple(
            self.about["controls"]
        )  # a pose's are none of `Upper`'s: the head is not turned
        self._identity, self._audio, self._decoder = (
            _session(folder / name, providers) for name in ("identity.onnx", "audio.onnx", decoder)
        )
        most = batch or (GPU_BATCH if on_gpu else 1)
        self._together = Batcher(partial(_decode, self._decoder), most=most) if most > 1 else None

    @classmethod
    def _verify(cls, folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
        fix = f"Run `make {cls.made_by}`, or restore the file from the repository."
        manifest = folder / "manifest.json"
        if not manifest.is_file():
            raise EngineUnavailable(f"The face generator is not installed: {manifest} is missing.", fix=fix)
        digests = json.loads(manifest.read_text(encoding="utf-8"))["sha256"]
        for name in names:
            path = folder / name
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digests.get(name):
                raise EngineUnavailable(f"{path} is missing or damaged.", fix=fix)
        told: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return told

    def identity(self, still: Picture) -> Identity:
        """Of an aligned still, RGB uint8 [size, size, 3]."""
        taken = (still.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None]
        code, *skips = self._identity.run(None, {"still": np.ascontiguousarray(taken)})
        return Identity(code, {f"skip{k}": skip for k, skip in enumerate(skips)})

    def memory(self) -> Memory:
        """Before anything was heard."""
        return Memory(
            np.zeros((1, 1, self.about["model"]["audio"]), np.float32),
            np.zeros((1, 1, self.about["noise_state"]), np.float32),
        )

    def noise(self, random: np.random.Generator) -> Floats:
        """What a frame's spontaneous motion grows from."""
        drawn: Floats = (random.standard_normal(self._noise) * self._spread).astype(np.float32)
        return drawn

    def latent(
        self, heard: Floats, upper: Upper, who: Identity, memory: Memory, noise: Floats | None = None
    ) -> Floats:
        """What the decoder is told of the next frame: float32 [1, latent]; `memory` moves on.

        Args:
            heard: [MELS, CONTEXT]; see `mel.MelStream`.
            upper: Eyes and brows. The head is drawn facing the camera: `Bend` turns it.
            who: Whose face.
            memory: Of the frames before.
            noise: See `noise`; None: none.
        """
        told = np.array([getattr(upper, name, 0.0) for name in self._controls], np.float32) * self._scale
        latent, _, memory.audio, memory.noise = self._audio.run(
            None,
            {
                "mel": heard.reshape(1, 1, MELS, CONTEXT),
                "noise": (np.zeros(self._noise, np.float32) if noise is None else noise).reshape(1, 1, -1),
                "controls": told.reshape(1, 1, -1),
                "code": who.code,
                "audio_state": memory.audio,
                "noise_state": memory.noise,
            },
        )
        first: Floats = latent[0]
        return first

    def draw(self, latents: Sequence[Floats], who: Identity) -> list[Picture]:
        """Aligned faces, each RGB uint8 [size, size, 3], of latents of [1, latent]."""
        asks = [(latent, who) for latent in latents]
        if self._together is not None:
            return self._together(asks)
        return [face for ask in asks for face in _decode(self._decoder, [ask])]


def _decode(decoder: onnxruntime.InferenceSession, asks: Sequence[tuple[Floats, Identity]]) -> list[Picture]:
    """Faces of a batch, which may be of different people."""
    latents, people = zip(*asks, strict=True)
    skips = {name: np.concatenate([who.skips[name] for who in people]) for name in people[0].skips}
    (pictures,) = decoder.run(None, {"latent": np.concatenate(latents), **skips})
    return list(pictures)


def _session(path: Path, providers: list[str]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the drawing threads are the parallelism
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=providers)
