"""Sentences for synthetic faces to speak: those written by hand, and a grammar that has thousands more."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict

from training.sda.sentences import SENTENCES

FILE = Path(__file__).with_suffix(".yaml")


class Words(BaseModel):
    """What the grammar puts together; see the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    who: list[str]
    did: list[str]
    what: list[str]
    where: list[str]
    opening: list[str]
    questions: list[str]
    statements: list[str]


@lru_cache(maxsize=1)
def words() -> Words:
    """The committed file."""
    return Words.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def drawn(random: np.random.Generator) -> str:
    """A sentence of the grammar."""
    of = words()
    first, second = random.choice(len(of.what), 2, replace=False)
    text = _pick(random, of.questions if random.random() < 0.2 else of.statements).format(
        _pick(random, of.who),
        _pick(random, of.did),
        of.what[first],
        _pick(random, of.where),
        of.what[second],
        _pick(random, of.opening),
    )
    return text[0].upper() + text[1:]


def choose(random: np.random.Generator, avoid: frozenset[str]) -> str:
    """A sentence to speak that is not in `avoid`; a third are written by hand."""
    while True:
        text = _pick(random, list(SENTENCES)) if random.random() < 0.33 else drawn(random)
        if text not in avoid:
            return text


def _pick(random: np.random.Generator, options: list[str]) -> str:
    return options[int(random.integers(len(options)))]
