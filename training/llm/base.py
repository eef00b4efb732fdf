"""Makes what the base model learns from, and its tokenizer: `python -m training.llm.base data/llm/base`.

Talks about WordNet's nouns: notes of some sentences each, a question that one of the sentences answers, that
sentence as the answer; "tell me more" and its like; and questions that no note answers, which are admitted.
The words come from WordNet, the phrases from here and from `services/llm/notes/common.md`; nothing of any
avatar is in it. Always the same, from the seed.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from services.llm.engines.notes import COMMON
from services.llm.engines.transformer_prompt import CHAT_TEMPLATE, END, SPECIAL, Known, asked
from services.llm.notes.markdown import parse_file
from training.llm import wordnet
from training.llm.examples import Example, by_split, freeze, texts
from training.llm.wordnet import Entry

NAMES = (
    "Ada",
    "Ben",
    "Clara",
    "Dan",
    "Eva",
    "Finn",
    "Greta",
    "Hugo",
    "Iris",
    "Jon",
    "Kim",
    "Leo",
    "Mira",
    "Theo",
)
UNKNOWN_SHARE, TALK_SHARE = 0.2, 0.25
RIGHT_FIT, WRONG_FIT = (0.62, 0.13), (0.33, 0.09)
VOCABULARY = 4096

Fact = tuple[str, tuple[str, ...]]


class Talks:
    """Draws talks."""

    def __init__(self, entries: Mapping[str, Entry], seed: int) -> None:
        self._random = random.Random(seed)
        self._entries = entries
        self._keys = list(entries)
        moves = {note.key: note for note in parse_file("common", COMMON.read_text(encoding="utf-8"))}
        self._unknown = moves["unknown"].answers
        self._more, self._again = moves["more"].questions, moves["repeat"].questions

    def draw(self, number: int) -> Iterator[Example]:
        """So many talks."""
        for _ in range(number):
            key = self._random.choice(self._keys)
            yield Example(tuple(self._talk(key)), f"wordnet/{key}")

    def _talk(self, key: str) -> Iterator[tuple[str, str]]:
        rng = self._random
        yield "system", rng.choice(NAMES)
        if rng.random() < UNKNOWN_SHARE:
            yield from self._at_a_loss(self._entries[key])
            return
        told = self._facts(self._entries[key])
        at = rng.randrange(len(told))
        sentence, questions = told[at]
        notes = [Known(self._note(self._entries[key], told), rng.gauss(*RIGHT_FIT))]
        notes += [self._distractor(key) for _ in range(rng.choice((0, 1, 1, 1)))]
        notes.sort(key=lambda note: -note.fit)
        yield "user", asked(rng.choice(questions), notes)
        answer = sentence
        if at == 0 and len(told) > 1 and rng.random() < 0.3:
            answer = f"{sentence} {told[1][0]}"
        yield "assistant", answer
        if rng.random() < TALK_SHARE:
            yield from self._going_on(told, answer)

    def _going_on(self, told: Sequence[Fact], answer: str) -> Iterator[tuple[str, str]]:
        rng = self._random
        left = [sentence for sentence, _ in told if sentence not in answer]
        if left and rng.random() < 0.75:
            yield "user", asked(rng.choice(self._more))
            yield "assistant", left[0]
        else:
            yield "user", asked(rng.choice(self._again))
            yield "assistant", answer

    def _at_a_loss(self, entry: Entry) -> Iterator[tuple[str, str]]:
        rng = self._random
        notes = [self._distractor("") for _ in range(rng.choice((0, 1, 2, 2)))]
        notes.sort(key=lambda note: -note.fit)
        subject = notes[0].text.partition(":")[0] if notes else "something else"
        told = self._facts(entry)
        yield "user", asked(rng.choice(rng.choice(told)[1]), notes)
        yield "assistant", rng.choice(self._unknown).replace("{subject}", subject).replace("{topic}", subject)

    def _facts(self, entry: Entry) -> list[Fact]:
        first, *rest = wordnet.facts(entry, self._entries)
        self._random.shuffle(rest)
        return [first, *rest[: self._random.choice((1, 2, 2, 3))]]

    def _note(self, entry: Entry, told: Sequence[Fact]) -> str:
        return f"{entry.word}: {' '.join(sentence for sentence, _ in told)}"

    def _distractor(self, beside: str) -> Known:
        """A note about something else, often of the same kind."""
        rng = self._random
        key = rng.choice(self._keys)
        if beside and rng.random() < 0.4:
            kinds = self._entries[beside].links.get("kind", ())
            near = [
                other
                for kind in kinds
                if kind in self._entries
                for other in self._entries[kind].links.get("example", ())
                if other in self._entries and other != beside
            ]
            key = rng.choice(near) if near else key
        entry = self._entries[key]
        return Known(self._note(entry, self._facts(entry)), rng.gauss(*WRONG_FIT))


def make_tokenizer(lines: Iterator[str], size: int = VOCABULARY) -> PreTrainedTokenizerFast:
    """Byte-level BPE; every control token of the prompt is one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=END, chat_template=CHAT_TEMPLATE
    )


def main(
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    talks: Annotated[int, typer.Option(help="How many talks.")] = 30_000,
    words: Annotated[Path, typer.Option(help="Where WordNet is.")] = wordnet.FOLDER,
    seed: Annotated[int, typer.Option(help="Another seed, other talks.")] = 1,
) -> None:
    """Make the base model's corpus and tokenizer."""
    examples = list(Talks(wordnet.entries(words), seed).draw(talks))
    splits = by_split(examples, dev=0.01, test=0.01)
    about = {"made_by": "python -m training.llm.base", "seed": seed, "licences": {"words": wordnet.LICENCE}}
    corpus = freeze(out, splits, about)
    make_tokenizer(texts(splits["train"])).save_pretrained(str(out / "tokenizer"))
    print(corpus.manifest["files"])


if __name__ == "__main__":
    typer.run(main)
