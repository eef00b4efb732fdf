"""What the small Whisper's clips say: sentences of `small.txt`, and those that are kept from it."""

from pathlib import Path
from typing import Final

import numpy as np

from parley.wer import plain_words
from training.asr.make_text import held_out, read_grammar, sentences

SMALL: Final = Path(__file__).with_name("small.txt")
_TEST_SEED: Final = 1_000
_PAIRS: Final = 0.12


def kept_sentences(count: int, grammar: Path = SMALL) -> list[str]:
    """Sentences that are never learnt from, each once; how many are asked for changes none of them."""
    names, templates = read_grammar(grammar.read_text())
    found: dict[str, None] = {}
    seed = _TEST_SEED
    while len(found) < count:
        drawn = list(dict.fromkeys(sentences(names, templates, seed=seed)))
        found |= dict.fromkeys(str(text) for text in np.random.default_rng(seed).permutation(drawn))
        seed += 1
    return list(found)[:count]


def training_sentences(count: int, kept: int, grammar: Path = SMALL) -> list[str]:
    """Sentences to learn from; every eighth clip or so says two.

    Args:
        count: How many.
        kept: So many of `kept_sentences`, and what the benches ask, are not among them.
        grammar: In the format of `grammar.txt`.
    """
    names, templates = read_grammar(grammar.read_text())
    forbidden = held_out() | {tuple(plain_words(text)) for text in kept_sentences(kept, grammar)}
    random = np.random.default_rng(1)
    found: list[str] = []
    seed = 0
    while len(found) < count:
        drawn = [t for t in sentences(names, templates, seed) if tuple(plain_words(t)) not in forbidden]
        drawn = [str(text) for text in random.permutation(drawn)]
        while drawn:
            text = drawn.pop()
            found.append(f"{text} {drawn.pop()}" if drawn and random.random() < _PAIRS else text)
        seed += 1
    return found[:count]
