"""The ears' engines, by name. Each imports what it needs only when it is chosen."""

import logging
from pathlib import Path

from parley.engines import AsrEngine
from parley.errors import ConfigError
from services.asr.config import AsrSettings

log = logging.getLogger(__name__)


def installed_whisper(settings: AsrSettings) -> str:
    """The Whisper model that is set or installed; empty: none."""
    if settings.model:
        return settings.model
    current: Path = settings.models_dir / "asr" / "current"
    return str(current) if current.exists() else ""


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

            return SphinxEngine(
                warm=settings.warm,
                language_model=conversational(settings.cache_dir) if settings.conversational else None,
            )
        case "whisper":
            from services.asr.engines.whisper import load_whisper

            return load_whisper(model or str(settings.models_dir / "asr" / "current"), device=settings.device)
        case "fake":
            from services.asr.engines.fake import FakeEngine

            return FakeEngine(settings.fake_words)
    raise ConfigError(f"There is no engine {name!r} for the ears.", fix="Use auto, sphinx, whisper or fake.")
