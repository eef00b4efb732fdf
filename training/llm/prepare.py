"""Builds a subject's dialogue corpus: `python -m training.llm.prepare CONFIG`, e.g. llm-avatars-corpus.yaml.

Cleaned, split by source, frozen by hash; the manifest has the licence of everything in it. No question of an
evaluation set is in it, nor one of nearly the same words. Of an avatar's notes, dev are the questions of
`services/llm/eval/questions.yaml`, test those of `held_out.yaml`.
"""

import random
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import typer
import yaml
from pydantic import Field, ValidationError

from parley.avatars import load_avatar
from parley.errors import ConfigError
from services.llm.engines.transformer_notes import given, known, notes_of
from services.llm.engines.transformer_prompt import Known, asked
from services.llm.evaluate import DEVELOPMENT, HELD_OUT, load_questions
from services.llm.notes.embedder import Embedder
from services.llm.notes.index import NoteIndex
from training.llm import sources
from training.llm.config import Strict
from training.llm.examples import SPLITS, Example, by_split, freeze


class Talks(Strict):
    """Words of a subject.

    Attributes:
        path: Of a `handover` folder, a JSON-lines file of talks or thumbs, or a folder of *.txt and *.md.
        title: What the subject is called.
        licence: Of the words.
        subject: Whose turns are learnt, as the file of talks names the speaker.
    """

    path: Path
    title: str
    licence: str = Field(min_length=3)
    subject: str = ""


class Sources(Strict):
    """What a corpus is made of.

    Attributes:
        out: Folder to write to.
        avatars: Whose notes.
        handovers: Corrected transcripts of the corpus pipeline.
        dialogues: Talks with somebody else.
        texts: Own texts.
        thumbs: Better and worse answers; a corpus of these alone is for `lesson: prefer`.
        per_question: Wordings of each question that a note has.
        per_sentence: Questions of each sentence.
        strangers: Questions about anything, an avatar.
        dev: Share of the sources of talks and texts.
        test: The same.
        seed: Another seed, another corpus.
    """

    out: Path
    avatars_dir: Path = Path("avatars")
    avatars: tuple[str, ...] = ()
    notes_licence: str = "Apache-2.0, written for this project"
    handovers: tuple[Talks, ...] = ()
    dialogues: tuple[Talks, ...] = ()
    texts: tuple[Talks, ...] = ()
    thumbs: tuple[Talks, ...] = ()
    per_question: int = 3
    per_sentence: int = 2
    strangers: int = 500
    dev: float = 0.05
    test: float = 0.05
    seed: int = 1


def load(path: Path) -> Sources:
    """Reads a YAML file.

    Raises:
        ConfigError: It is missing or wrong; the message says where.
    """
    try:
        return Sources.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error


def build(told: Sources) -> dict[str, list[Example]]:
    """All examples, by split."""
    splits: dict[str, list[Example]] = {name: [] for name in SPLITS}
    if told.avatars:
        embedder = Embedder()
        asked_anything = sources.strangers(told.strangers, told.seed)
        for name in told.avatars:
            title = load_avatar(told.avatars_dir, name).title
            talks = sources.FromNotes(told.avatars_dir, name, title, embedder, told.seed)
            splits["train"] += talks.examples(told.per_question, told.per_sentence, asked_anything)
            index = NoteIndex(notes_of(told.avatars_dir, name), embedder)
            for split, path in (("dev", DEVELOPMENT), ("test", HELD_OUT)):
                splits[split] += _evaluation(told, name, title, path, index)
    for split, found in by_split(_spoken(told), dev=told.dev, test=told.test).items():
        splits[split] += found
    random.Random(told.seed).shuffle(splits["train"])
    return splits


def _evaluation(told: Sources, avatar: str, title: str, path: Path, index: NoteIndex) -> Iterator[Example]:
    """The answerable questions of a set, as typed, with the first answer of their note."""
    notes = {note.id: note for note in notes_of(told.avatars_dir, avatar)}
    for question in load_questions(path):
        if question.avatar == avatar and question.notes and not question.heard:
            answer = notes[sorted(question.notes)[0]].answers[0].replace("{name}", title)
            found = known(given(index, question.text), title)
            messages = (("system", title), ("user", asked(question.text, found)), ("assistant", answer))
            yield Example(messages, f"{avatar}/{path.stem}")


def _spoken(told: Sources) -> Iterator[Example]:
    for each in told.handovers:
        spoken = sources.monologue(each.path)
        yield from sources.from_monologue(spoken, each.title, told.per_sentence, told.seed)
    for each in told.dialogues:
        yield from sources.from_dialogues(each.path, each.subject, each.title)
    for each in told.texts:
        paths = sorted(p for kind in ("*.txt", "*.md") for p in each.path.glob(kind))
        yield from sources.from_texts(paths, each.title, told.per_sentence, told.seed)
    notes_for = _NotesFor(told.avatars_dir)
    for each in told.thumbs:
        yield from sources.from_thumbs(each.path, notes_for)


class _NotesFor:
    """Finds an avatar's notes for a question, as the engine does; an avatar is read when it is asked for."""

    def __init__(self, avatars_dir: Path) -> None:
        self._avatars_dir = avatars_dir
        self._index = lru_cache(self._read)

    def __call__(self, avatar: str, question: str) -> list[Known]:
        title = load_avatar(self._avatars_dir, avatar).title
        return known(given(self._index(avatar), question), title)

    def _read(self, avatar: str) -> NoteIndex:
        return NoteIndex(notes_of(self._avatars_dir, avatar), Embedder())


def main(config: Annotated[Path, typer.Argument(help="The corpus' YAML.")]) -> None:
    """Build and freeze a dialogue corpus."""
    told = load(config)
    spoken = (*told.handovers, *told.dialogues, *told.texts, *told.thumbs)
    licences = {str(each.path): each.licence for each in spoken}
    licences |= {f"{told.avatars_dir}/{name}/notes": told.notes_licence for name in told.avatars}
    about = {
        "made_by": f"python -m training.llm.prepare {config.name}",
        "licences": licences,
        "seed": told.seed,
    }
    corpus = freeze(told.out, build(told), about)
    for name, each in corpus.manifest["files"].items():
        print(f"{name}: {each['examples']} talks, sha256 {each['sha256']}")


if __name__ == "__main__":
    typer.run(main)
