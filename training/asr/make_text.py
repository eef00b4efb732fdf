"""Writes the text that the ears' language model is adapted to: `python -m training.asr.make_text`.

Two sources: sentences drawn from a grammar of conversation (`grammar.txt`), and the notes of the avatars,
with the questions that they answer. What `held_out.yaml` and the benches ask is left out word for word, so
that the model is measured on sentences that it has not seen.
"""

import argparse
import gzip
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from parley.bench.questions import TEXTS
from parley.wer import plain_words

ROOT: Final = Path(__file__).resolve().parents[2]
GRAMMAR: Final = ROOT / "training" / "asr" / "grammar.txt"
HELD_OUT: Final = ROOT / "services" / "llm" / "eval" / "held_out.yaml"
OUTPUT: Final = ROOT / "services" / "asr" / "lm" / "conversation.txt.gz"
_SLOT: Final = re.compile(r"\[(\w+)\]")
_SENTENCE_END: Final = re.compile(r"(?<=[.!?:;])\s+")
_OPENED: Final = 0.08
_ENDED: Final = 0.05


def read_grammar(text: str) -> tuple[dict[str, list[str]], list[tuple[int, str]]]:
    """The alternatives of each name, and the templates with their numbers."""
    head, _, tail = text.partition("\nsentences:\n")
    lines = [line for line in head.splitlines() if ":" in line and not line.startswith("#")]
    names = {
        name: [a.strip() for a in rest.split("|")] for name, _, rest in (x.partition(":") for x in lines)
    }
    templates = [(int(n), rest) for n, _, rest in (line.partition(" ") for line in tail.splitlines()) if rest]
    return names, templates


def sentences(
    names: Mapping[str, Sequence[str]], templates: Sequence[tuple[int, str]], seed: int = 0
) -> Iterator[str]:
    """Draws from the grammar: always the same ones. Some are opened and ended as people do when they talk."""
    rng = random.Random(seed)

    def fill(text: str) -> str:
        while _SLOT.search(text):
            text = _SLOT.sub(lambda slot: rng.choice(names[slot[1]]), text)
        return text

    for number, template in templates:
        for _ in range(number):
            text = fill(template)
            if rng.random() < _OPENED:
                text = f"{rng.choice(names['opener'])} {text}"
            if rng.random() < _ENDED:
                text = f"{text} {rng.choice(names['ending'])}"
            yield text


def notes(folder: Path) -> Iterator[str]:
    """Questions and sentences of one avatar's notes."""
    for path in sorted(folder.glob("*.md")):
        for line in path.read_text().splitlines():
            line = re.sub(r"^(#+|Q:|Or:)\s*", "", line)
            yield from _SENTENCE_END.split(line)


def held_out() -> set[tuple[str, ...]]:
    """Questions that must not be trained on."""
    asked = [line["ask"] for lines in yaml.safe_load(HELD_OUT.read_text()).values() for line in lines]
    return {tuple(plain_words(text)) for text in (*asked, *TEXTS)}


def make(avatars: Path, grammar: Path = GRAMMAR) -> list[str]:
    """All sentences, one for each time that they count."""
    texts = [*sentences(*read_grammar(grammar.read_text()))]
    for folder in sorted(avatars.glob("*/notes")):
        texts += notes(folder)
    forbidden = held_out()
    words = (tuple(plain_words(text.replace("’", "'"))) for text in texts)
    return [" ".join(w) for w in words if w and w not in forbidden]


def main() -> None:
    """Writes the text."""
    parser = argparse.ArgumentParser(description="Write the text that the ears are adapted to.")
    parser.add_argument("--avatars", type=Path, default=ROOT / "avatars", help="folder of avatars")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    lines = make(options.avatars)
    text = "".join(f"{line}\n" for line in lines).encode()
    options.output.write_bytes(gzip.compress(text, mtime=0))
    print(f"{len(lines)} sentences, {options.output.stat().st_size} bytes in {options.output}")


if __name__ == "__main__":
    main()
