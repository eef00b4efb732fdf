"""A tone for every word: instant, deterministic, with phones. For tests."""

from collections.abc import Iterator, Sequence

import numpy as np

from parley.engines import Audio, SpeechChunk, TimedPhone
from parley.media.clock import SAMPLE_RATE_HZ, ms_to_samples
from services.tts.engines.spoken import tokens

EDGE_MS = 100
LETTER_MS = 50
GAP_MS = 30
_PHONES = ("aa", "m", "iy", "s", "uw", "f", "ao", "t")


class FakeEngine:
    """Each letter lasts 50 ms; a clause has 100 ms of silence at either end, as real engines do."""

    name = "fake"
    model = "tone bursts"
    has_phones = True

    def voices(self) -> Sequence[str]:
        """Two voices, an octave apart."""
        return ("low", "high")

    def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
        """One chunk a word, so that streaming is exercised; a chunk of silence at either end."""
        words = tokens(clause)
        if not words:
            return
        end = ms_to_samples(EDGE_MS)
        yield _silence(end, end)
        for token in words:
            phones: list[TimedPhone] = []
            start = end
            for letter in token.word or "x" * len(token.phones):
                end += ms_to_samples(LETTER_MS / speed)
                phones.append(TimedPhone(_PHONES[ord(letter) % len(_PHONES)], end))
            yield SpeechChunk(_tone(220 if voice == "low" else 440, end - start), phones)
            end += ms_to_samples(GAP_MS)
            yield _silence(ms_to_samples(GAP_MS), end)
        end += ms_to_samples(EDGE_MS)
        yield _silence(ms_to_samples(EDGE_MS), end)

    def close(self) -> None:
        """Nothing to end."""


def _tone(hertz: int, samples: int) -> Audio:
    tone: Audio = (0.3 * np.sin(2 * np.pi * hertz / SAMPLE_RATE_HZ * np.arange(samples))).astype(np.float32)
    return tone


def _silence(samples: int, end: int) -> SpeechChunk:
    return SpeechChunk(np.zeros(samples, np.float32), [TimedPhone("pau", end)])
