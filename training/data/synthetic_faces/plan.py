"""What clip number n of the synthetic corpus shows and says: drawn from n, so any machine can make it.

Only espeak-ng's own wavering of the pitch, which depends on what it said before, is not.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from training.data.synthetic_faces import sentences, voices
from training.data.synthetic_faces.parameters import IDENTITIES

VERSION = 2  # grows when a clip of the same number would come out differently
TRAINED = range(480)  # seeds of identities
HELD_OUT_EVERY = 12
AVATAR_SHARE = 0.4  # of clips that show a default avatar
HELD_OUT_FILE = Path(__file__).parent / "held_out.yaml"
Split = Literal["train", "test"]


class Seeds(BaseModel):
    """A range of seeds, both ends included."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    first: int
    last: int


class HeldOut(BaseModel):
    """Identities, voices and sentences that training never sees."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    identities: Seeds
    voices: tuple[str, ...]
    sentences: tuple[str, ...]


@lru_cache(maxsize=1)
def held_out() -> HeldOut:
    """The committed file."""
    return HeldOut.model_validate(yaml.safe_load(HELD_OUT_FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip to make.

    Attributes:
        number: Its place in the corpus.
        split: "test" clips show a held-out sentence in a held-out voice, by a held-out identity or an avatar.
        identity: A name that `identities.named` knows.
        voice: One of `voices.VOICES`.
        text: What is said.
    """

    number: int
    split: Split
    identity: str
    voice: str
    text: str

    def random(self, purpose: int) -> np.random.Generator:
        """The clip's own numbers for one purpose: independent of how many another one takes."""
        return np.random.default_rng([VERSION, self.number, purpose])


def clip(number: int) -> Clip:
    """Clip `number`."""
    random, kept = np.random.default_rng([VERSION, number]), held_out()
    test = number % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    seeds = range(kept.identities.first, kept.identities.last + 1) if test else TRAINED
    avatar = random.random() < AVATAR_SHARE
    shown = str(random.choice(sorted(IDENTITIES))) if avatar else f"seed-{random.choice(seeds)}"
    if test:
        voice = voices.pick(random, kept.voices)
        text = kept.sentences[int(random.integers(len(kept.sentences)))]
    else:
        voice = voices.pick(random, tuple(v for v in voices.VOICES if v not in kept.voices))
        text = sentences.choose(random, frozenset(kept.sentences))
    return Clip(number, "test" if test else "train", shown, voice, text)
