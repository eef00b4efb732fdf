"""What the clients say: recordings of people and synthesised questions, each said by one client only."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from parley.bench.questions import HUMAN_RECORDINGS, TEXTS, VOICES, spoken
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.files import read_audio
from parley.wer import plain_words, word_errors

LEAK_WER = 0.34  # closer than this to a neighbour's words, and closer than to one's own: not misheard, leaked


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to say.

    Attributes:
        text: Its words.
        audio: float32 [n] at 24 kHz.
    """

    text: str
    audio: NDArray[np.float32]

    @property
    def frames(self) -> NDArray[np.float32]:
        """The speech filled up with silence to whole video frames, float32 [n × 960]."""
        return np.pad(self.audio, (0, -len(self.audio) % FRAME_SAMPLES))


@cache
def prompts(*, human: bool) -> tuple[Prompt, ...]:
    """All that can be said; made once, before anything is measured.

    Args:
        human: Recordings of people among them: readings, nothing that an avatar could answer.
    """
    made = [Prompt(text, spoken(text, VOICES[n % len(VOICES)])) for n, text in enumerate(TEXTS)]
    if human:
        lines = (HUMAN_RECORDINGS / "transcription").read_text().splitlines()
        for place, line in enumerate(filter(str.strip, lines)):
            words, name = line.rsplit(" ", 1)
            recording = HUMAN_RECORDINGS / f"{name.strip('()')}.wav"
            text = words.replace("<s>", "").replace("</s>", "").strip()
            made.insert(4 * place, Prompt(text, read_audio(recording, SAMPLE_RATE_HZ)))
    return tuple(made)


def shares(number: int, clients: int, *, human: bool = False) -> tuple[Prompt, ...]:
    """What client `number` of `clients` says, round and round; no neighbour says any of it.

    With more clients than prompts the prompts are said by several: then leaks between these do not show.
    """
    everything = prompts(human=human)
    return everything[number % len(everything) :: clients]


def leaked(heard: str, own: str, *, human: bool) -> bool:
    """Whether the words belong to something that a neighbour says."""
    if not plain_words(heard) or word_share(own, heard) <= LEAK_WER:
        return False
    others = (p.text for p in prompts(human=human) if p.text != own)
    return any(word_share(other, heard) <= LEAK_WER for other in others)


def word_share(said: str, heard: str) -> float:
    """Word error rate of `heard`."""
    errors, words = word_errors(said, heard)
    return errors / words
