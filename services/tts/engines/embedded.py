"""All voices that need no PyTorch, Debian's and our own, behind one engine: "festival/slt", "flite/rms", …"""

from collections.abc import Iterator, Mapping, Sequence

from parley.engines import SpeechChunk, TtsEngine
from parley.errors import EngineUnavailable

FIXES = {
    "festival": "apt install festival festvox-us-slt-hts",
    "flite": "apt install flite libflite1",
    "fastpitch": "set PARLEY_TTS_MODEL to a voice that training/tts made",
}


class EmbeddedEngine:
    """Gives each clause to the engine that the voice's name begins with.

    Args:
        engines: By name; those that cannot run here are left out.
        missing: Why an engine is left out, by its name.

    Raises:
        EngineUnavailable: None of them can run.
    """

    name = "embedded"
    has_phones = True

    def __init__(self, engines: Mapping[str, TtsEngine], missing: Mapping[str, str]) -> None:
        if not engines:
            raise EngineUnavailable(
                f"No synthesiser is installed: {' '.join(missing.values())}", fix=" ; ".join(FIXES.values())
            )
        self._engines = dict(engines)
        self._missing = dict(missing)
        self.model = "; ".join(engine.model for engine in engines.values())

    def voices(self) -> Sequence[str]:
        """Names with the engine in front, in order of preference."""
        return [f"{name}/{voice}" for name, engine in self._engines.items() for voice in engine.voices()]

    def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
        """As the engine that has the voice does it.

        Raises:
            EngineUnavailable: The voice or its engine is not installed; the message names the package.
        """
        name, _, its_voice = voice.partition("/")
        engine = self._engines.get(name)
        if engine is None:
            reason = self._missing.get(name, f"There is no engine {name!r} among the embedded ones.")
            raise EngineUnavailable(
                f"The voice {voice!r} cannot be used here. {reason}",
                fix=FIXES.get(name, f"Choose one of {', '.join(self.voices())}."),
            )
        yield from engine.synthesize(clause, voice=its_voice, speed=speed)

    def close(self) -> None:
        """Closes every engine."""
        for engine in self._engines.values():
            close = getattr(engine, "close", None)
            if close is not None:
                close()
