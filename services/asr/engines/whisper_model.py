"""Loads a CTranslate2 Whisper from a folder or the hub; what is missing or broken is named, with the fix."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from parley.errors import EngineUnavailable

# faster-whisper's folder format; the vocabulary is one of two files, by the converter's age.
_NEEDED: Final = ("model.bin", "config.json", "tokenizer.json")
_VOCABULARIES: Final = ("vocabulary.json", "vocabulary.txt")
# Written beside the weights by `parley train asr`.
ABOUT: Final = "parley.json"
_FRAMES: Final = 3_000
_MARGIN_FRAMES: Final = 50
_QUANTUM_FRAMES: Final = 50


def compute_type(asked: str, device: str) -> str:
    """The arithmetic, as CTranslate2 names it: as asked, or int8 on a processor and float16 on a GPU."""
    if asked != "auto":
        return asked
    return "int8" if device == "cpu" else "float16"


def load(model: str, *, device: str, compute: str = "auto", threads: int = 1) -> Any:
    """A `faster_whisper.WhisperModel`.

    Args:
        model: A folder, or a name that the hub or its local cache knows ("small.en", "Systran/…").
        device: "cpu" or "cuda".
        compute: "auto", or the arithmetic as CTranslate2 names it.
        threads: Of a processor.

    Raises:
        EngineUnavailable: The package, a file or the download is missing, or a file is broken.
    """
    try:
        import faster_whisper
    except ImportError as error:
        raise EngineUnavailable(
            "The ears' engine `whisper` needs faster-whisper.", fix="pip install 'faster-whisper>=1.2'"
        ) from error
    folder = Path(model)
    local = is_folder(model)
    about = _check(folder) if local else {}
    arithmetic = compute_type(compute, device)
    try:
        loaded = faster_whisper.WhisperModel(
            model, device=device, compute_type=arithmetic, cpu_threads=threads, num_workers=1
        )
    except Exception as error:  # CTranslate2, tokenizers and the hub each have exceptions of their own
        raise EngineUnavailable(_reason(model, error, local=local), fix=how_to_get(model)) from error
    if about.get("windows") == "short":
        loaded.encode = _short(loaded.encode)
    return loaded


def is_folder(model: str) -> bool:
    """Whether `model` means a folder rather than a name of the hub's."""
    path = Path(model)
    return path.is_dir() or path.is_absolute() or model.startswith(".") or model.count("/") > 1


def about(model: str) -> dict[str, Any]:
    """What `parley train asr` wrote beside a model that was loaded; empty for others."""
    path = Path(model) / ABOUT
    found: dict[str, Any] = json.loads(path.read_bytes()) if is_folder(model) and path.is_file() else {}
    return found


def how_to_get(model: str) -> str:
    """The command that brings a model's files."""
    if is_folder(model):
        return (
            "On a machine with internet access: ct2-transformers-converter --model openai/whisper-small.en "
            f"--copy_files tokenizer.json preprocessor_config.json --quantization int8 --output_dir {model}, "
            "or train one: parley train asr. PARLEY_ASR_ENGINE=sphinx needs no download."
        )
    name = model if "/" in model else f"Systran/faster-whisper-{model}"
    return (
        f"On a machine with internet access: hf download {name} --local-dir models/asr/current; then bring "
        "that folder here. PARLEY_ASR_ENGINE=sphinx needs no download."
    )


def _check(folder: Path) -> dict[str, Any]:
    """What `parley.json` says of the model; empty if there is none.

    Raises:
        EngineUnavailable: A file is missing or empty, or one that should be JSON is not.
    """
    if not folder.is_dir():
        raise EngineUnavailable(
            f"There is no CTranslate2 Whisper model in {folder}: no such folder.", fix=how_to_get(str(folder))
        )
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        missing.append(_VOCABULARIES[0])
    if missing:
        raise EngineUnavailable(
            f"There is no CTranslate2 Whisper model in {folder}: {', '.join(missing)} is missing.",
            fix=how_to_get(str(folder)),
        )
    about: dict[str, Any] = {}
    for path in (*sorted(folder.glob("*.json")),):
        try:
            found = json.loads(path.read_bytes())
        except ValueError as error:
            raise EngineUnavailable(f"{path} is broken: {error}.", fix=how_to_get(str(folder))) from error
        if path.name == ABOUT:
            about = found
    return about


def _reason(model: str, error: Exception, *, local: bool) -> str:
    told = (str(error) or type(error).__name__).splitlines()[0]
    if not local:
        return f"The Whisper model {model} is neither on this machine nor to be had from the hub: {told}"
    if "float16" in told or "compute type" in told:
        return f"The Whisper model {model} cannot be computed so on this device: {told}"
    broken = "tokenizer.json" if "tokenizer" in type(error).__module__ or "variant" in told else "model.bin"
    return f"The Whisper model {model} cannot be loaded; {Path(model) / broken} is broken: {told}"


def _short(encode: Any) -> Any:
    """An encoder that hears the sound and half a second of padding, instead of 30 s in any case.

    Only for models that were trained on such windows; faster-whisper pads features with zeros.
    """

    def encode_short(features: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
        filled = np.flatnonzero(np.any(features != 0, axis=tuple(range(features.ndim - 1))))
        frames = (int(filled[-1]) + 1 if len(filled) else 0) + _MARGIN_FRAMES
        frames = min(-(-frames // _QUANTUM_FRAMES) * _QUANTUM_FRAMES, features.shape[-1], _FRAMES)
        return encode(np.ascontiguousarray(features[..., :frames]))

    return encode_short
