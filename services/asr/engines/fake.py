"""Engine `fake`, for tests: hears a script, one word per 300 ms of sound. Deterministic, costs nothing."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from parley.engines import AsrStream, Audio, HeardWord, Hypothesis
from parley.errors import ConfigError

_WORD_SAMPLES: Final = 4_800
_FRAME_SAMPLES: Final = 160
_LOUD: Final = 0.01


class FakeEngine:
    """Every turn begins at the script's first word; after its last it begins anew."""

    name = "fake"
    model = "script"
    sample_rate_hz = 16_000

    def __init__(self, script: str) -> None:
        """Takes the words to hear.

        Raises:
            ConfigError: No words.
        """
        self._script = script.split()
        if not self._script:
            raise ConfigError("The fake ears have no words to hear.", fix="Set PARLEY_ASR_FAKE_WORDS.")

    def open(
        self, *, language: str, hotwords: Sequence[str], lexicon: Mapping[str, str] | None = None
    ) -> AsrStream:
        """Starts listening; language and words to expect make no difference."""
        return FakeStream(self._script)


class FakeStream:
    """Counts 10 ms frames with sound in them."""

    def __init__(self, script: Sequence[str]) -> None:
        self._script = script
        self._rest: Audio = np.zeros(0, np.float32)
        self._heard = self._loud = 0
        self._words: list[HeardWord] = []

    def accept(self, audio: Audio) -> None:
        """Takes more speech, float32 [n] at 16 kHz."""
        audio = np.concatenate([self._rest, audio])
        whole = len(audio) // _FRAME_SAMPLES * _FRAME_SAMPLES
        for frame in audio[:whole].reshape(-1, _FRAME_SAMPLES):
            self._heard += _FRAME_SAMPLES
            if float(np.abs(frame).max()) >= _LOUD:
                self._loud += _FRAME_SAMPLES
                if self._loud % _WORD_SAMPLES == 0:
                    word = self._script[len(self._words) % len(self._script)]
                    self._words.append(HeardWord(word, self._heard - _WORD_SAMPLES, self._heard, 1.0))
        self._rest = audio[whole:]

    def partial(self) -> Hypothesis:
        """The words so far; all are stable."""
        return self.finalize()

    def finalize(self) -> Hypothesis:
        """The words so far."""
        text = " ".join(word.text for word in self._words)
        return Hypothesis(text, len(text), tuple(self._words), 1.0 if text else 0.0)

    def reset(self) -> None:
        """Back to the script's first word."""
        self._rest = np.zeros(0, np.float32)
        self._heard = self._loud = 0
        self._words = []
