"""The synthesisers by name. What is missing is an error that names the fix, never another engine."""

from typing import Protocol

from parley.engines import TtsEngine
from parley.errors import ConfigError, EngineUnavailable
from services.tts.config import TtsSettings

NAMES = ("embedded", "festival", "flite", "fastpitch", "coqui", "fake")


class ClosableTtsEngine(TtsEngine, Protocol):
    """A TtsEngine that holds something (processes) which `close` ends."""

    def close(self) -> None:
        """Frees what the engine holds; safe to call twice."""


def load(name: str, settings: TtsSettings) -> ClosableTtsEngine:
    """Builds the engine of that name; "auto" is "embedded".

    Raises:
        EngineUnavailable: It cannot run here; the message names the package to install.
        ConfigError: There is no such engine.
    """
    match name:
        case "embedded" | "auto":
            return _embedded(settings)
        case "festival":
            from services.tts.engines.festival import FestivalEngine

            return FestivalEngine(settings.pool)
        case "flite":
            from services.tts.engines.flite import FliteEngine

            return FliteEngine()
        case "fastpitch":
            from services.tts.engines.fastpitch import FastPitchEngine

            return FastPitchEngine(settings.model, semitones=settings.semitones)
        case "coqui":
            from services.tts.engines.coqui import load_coqui

            return load_coqui(settings)
        case "fake":
            from services.tts.engines.fake import FakeEngine

            return FakeEngine()
    raise ConfigError(
        f"There is no tts engine named {name!r}.", fix=f"Set PARLEY_TTS_ENGINE to one of {', '.join(NAMES)}."
    )


def _embedded(settings: TtsSettings) -> ClosableTtsEngine:
    """Whatever is installed of them; an avatar that needs the rest gets the error."""
    from services.tts.engines.embedded import EmbeddedEngine

    engines: dict[str, TtsEngine] = {}
    missing: dict[str, str] = {}
    for name in ("festival", "flite", "fastpitch"):
        try:
            engines[name] = load(name, settings)
        except EngineUnavailable as error:
            missing[name] = str(error)
    return EmbeddedEngine(engines, missing)
