"""Our own trained voices (services/tts/fastpitch): no PyTorch, faster than real time on one core."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from parley.engines import SpeechChunk, TimedPhone
from parley.errors import EngineUnavailable
from services.tts.engines.phones import to_cmudict
from services.tts.engines.spoken import tokens
from services.tts.fastpitch.frames import HOP
from services.tts.fastpitch.phonemes import FrontEnd
from services.tts.fastpitch.voice import Voice

WEIGHTS = Path(__file__).parent.parent / "weights"


class FastPitchEngine:
    """Speaks with every voice whose folder lies in `WEIGHTS`, and with one more.

    Args:
        model: Folder of one more exported voice; empty: none.
        semitones: How much higher than its own pitch every voice speaks.

    Raises:
        EngineUnavailable: No voice is installed, one is damaged, or flite, which reads the words, is missing.
    """

    name = "fastpitch"
    has_phones = True

    def __init__(self, model: str = "", *, semitones: float = 0.0) -> None:
        folders = [path.parent for path in sorted(WEIGHTS.glob("*/manifest.json"))]
        folders += [Path(model)] if model else []
        if not folders:
            raise EngineUnavailable(
                f"No trained voice is installed in {WEIGHTS}.",
                fix="Train one (training/tts/README.md) and set PARLEY_TTS_MODEL to its folder.",
            )
        found = [Voice(folder) for folder in reversed(folders)]
        self._voices = {voice.name: voice for voice in reversed(found)}
        if model:  # the one asked for comes first: it speaks for avatars that name another engine's voice
            self._voices = {found[0].name: found[0], **self._voices}
        self._front, self._semitones = FrontEnd(), semitones
        self.model = f"fastpitch: {', '.join(self._voices)}"

    def voices(self) -> Sequence[str]:
        """Names of the voices."""
        return tuple(self._voices)

    def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
        """Speech of one clause, a quarter of a second first; nothing when there is no word in it.

        Raises:
            EngineUnavailable: There is no such voice.
            ServiceUnavailable: The words could not be read.
        """
        if voice not in self._voices:
            raise EngineUnavailable(
                f"There is no trained voice {voice!r} here.", fix=f"Choose one of {', '.join(self._voices)}."
            )
        words = tokens(clause)
        if not words:
            return
        read, speaker = self._front.read(words), self._voices[voice]
        plan = speaker.plan(read.codes, speed=speed, semitones=self._semitones)
        ends = (np.cumsum(plan.durations) * HOP).tolist()
        phones = [TimedPhone(to_cmudict(s), end) for s, end in zip(read.symbols, ends, strict=True)]
        said = made = 0

        for audio in speaker.speak(plan):
            made += len(audio)
            ready = sum(end <= made for end in ends)
            yield SpeechChunk(audio, phones[said:ready])
            said = ready

    def close(self) -> None:
        """Nothing to end."""
