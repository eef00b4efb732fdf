"""The ears' engines, by name. Each imports what it needs only when it is chosen."""

import json
import logging
from pathlib import Path
from typing import Final

from parley.engines import AsrEngine
from parley.errors import ConfigError
from services.asr.config import AsrSettings

log = logging.getLogger(__name__)

# What `parley train asr` with `engine: sphinx` writes into a model's folder.
SPHINX_MODEL: Final = "sphinx.lm.bin"
SPHINX_TRANSFORM: Final = "mllr_matrix"  # only where the voice was adapted to, too


def installed_whisper(settings: AsrSettings) -> str:
    """The Whisper model that is set, was promoted, or lies in `models/asr/current`; empty: none.

    Raises:
        ConfigError: The manifest cannot be read.
    """
    if settings.model:
        return settings.model
    promoted = _promoted(settings, "whisper")
    if promoted:
        return str(promoted)
    current: Path = settings.models_dir / "asr" / "current"
    return str(current) if current.exists() else ""


def _promoted(settings: AsrSettings, engine: str) -> Path | None:
    """What `parley train asr` made current for `engine`: the manifest has its name."""
    folder: Path = settings.models_dir / "asr"
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        return None
    try:
        name = json.loads(manifest.read_bytes())["current"].get(engine)
    except (ValueError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"{manifest} cannot be read: {error}",
            fix=f"Mend it, or set PARLEY_ASR_MODEL, or remove {manifest}.",
        ) from error
    return folder / name if name else None


def load(name: str, settings: AsrSettings) -> AsrEngine:
    """Builds an engine.

    Args:
        name: "auto", "sphinx", "whisper" or "fake". "auto" is whisper if its weights are installed, else
            sphinx; which one is logged.
        settings: The service's settings.

    Raises:
        EngineUnavailable: Packages or weights are missing; the message names the fix.
        ConfigError: No engine has that name.
    """
    model = installed_whisper(settings)
    if name == "auto":
        name = "whisper" if model else "sphinx"
        reason = f"the weights {model} are installed" if model else "no Whisper weights are installed"
        log.info("engine chosen", extra={"engine": name, "reason": reason})
    match name:
        case "sphinx":
            from services.asr.engines.sphinx import SphinxEngine
            from services.asr.lm.conversation import conversational

            adapted = _promoted(settings, "sphinx")
            transform: Path | None = None
            if adapted is not None:
                language_model: Path | None = adapted / SPHINX_MODEL
                transform = path if (path := adapted / SPHINX_TRANSFORM).is_file() else None
            else:
                language_model = conversational(settings.cache_dir) if settings.conversational else None
            return SphinxEngine(warm=settings.warm, language_model=language_model, transform=transform)
        case "whisper":
            from services.asr.engines.whisper import load_whisper

            return load_whisper(
                model or str(settings.models_dir / "asr" / "current"),
                device=settings.device,
                compute=settings.compute,
            )
        case "fake":
            from services.asr.engines.fake import FakeEngine

            return FakeEngine(settings.fake_words)
    raise ConfigError(f"There is no engine {name!r} for the ears.", fix="Use auto, sphinx, whisper or fake.")
