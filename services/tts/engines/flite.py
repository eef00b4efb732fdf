"""Flite (Carnegie Mellon University): the voices `rms`, `slt`, `awb`, `kal16` and `kal`."""

from collections.abc import Iterator, Sequence

from parley.engines import SpeechChunk, TimedPhone
from parley.errors import EngineUnavailable
from parley.media.audio import resample
from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.engines.flite_library import FIX, FliteLibrary
from services.tts.engines.phones import to_cmudict
from services.tts.engines.spoken import tokens


class FliteEngine:
    """Flite in this process, 100 times faster than speech on one core.

    Raises:
        EngineUnavailable: The library or its voices are not installed.
    """

    name = "flite"
    has_phones = True

    def __init__(self) -> None:
        self._library = FliteLibrary()
        self.model = f"flite: {', '.join(self._library.voices)}"

    def voices(self) -> Sequence[str]:
        """Names of the installed voices."""
        return self._library.voices

    def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
        """Speech of one clause as one chunk; nothing when there is no word in it.

        Raises:
            EngineUnavailable: The voice is not installed.
            ServiceUnavailable: Flite could not speak it.
        """
        if voice not in self._library.voices:
            raise EngineUnavailable(
                f"Flite has no voice {voice!r} here.",
                fix=f"Choose one of {', '.join(self.voices())}, or {FIX}.",
            )
        words = tokens(clause)
        if not words:
            return
        said = self._library.say(voice, words, speed=speed)
        audio = resample(said.audio, said.rate_hz, SAMPLE_RATE_HZ)
        yield SpeechChunk(
            audio,
            [
                TimedPhone(to_cmudict(symbol), min(round(end_s * SAMPLE_RATE_HZ), len(audio)))
                for symbol, end_s in said.segments
            ],
        )

    def close(self) -> None:
        """Nothing to end: the voices live as long as the process."""
