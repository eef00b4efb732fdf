"""Dialogue pairs of a subject: from an avatar's notes, from talks, from monologues, and from thumbs."""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from parley.errors import ConfigError
from services.llm.engines.transformer_notes import given, known, notes_of
from services.llm.engines.transformer_prompt import ASK, Known, asked, plain
from services.llm.evaluate import SETS
from services.llm.notes.embedder import Embedder
from services.llm.notes.index import NoteIndex
from services.llm.notes.markdown import Note
from services.llm.notes.words import normal
from training.asr.make_text import GRAMMAR, read_grammar, sentences
from training.llm import questions
from training.llm.examples import Example

FOLDS = 3
_ALIKE = 0.8
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_KNOWN_ENOUGH = 0.45


def forbidden() -> set[str]:
    """The questions of every evaluation set, in normal form: nothing may be trained on them."""
    found = set()
    for path in sorted(SETS.glob("*.yaml")):
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
        for avatar, lines in told.items():
            if isinstance(lines, list) and lines and isinstance(lines[0], dict):
                found |= {normal(line[key]) for line in lines for key in ("ask", "heard") if key in line}
            else:
                found.add(normal(str(avatar)))
    return found


class Fresh:
    """Lets through what is no evaluation question, nor nearly one."""

    def __init__(self, never: set[str]) -> None:
        self._never = never
        self._sets = [frozenset(text.split()) for text in never if len(text.split()) > 3]

    def __call__(self, question: str) -> bool:
        text = normal(question)
        words = frozenset(text.split())
        if not words or text in self._never:
            return False
        return all(len(words & other) / len(words | other) < _ALIKE for other in self._sets)


class FromNotes:
    """Talks of one avatar about its notes.

    For a question of a note's own the notes are found by an index that does not have it: otherwise each would
    fit perfectly, as none does later.
    """

    def __init__(self, avatars_dir: Path, avatar: str, title: str, embedder: Embedder, seed: int) -> None:
        self._avatar, self._title = avatar, title
        self._random = random.Random(f"{seed} {avatar}")
        notes = notes_of(avatars_dir, avatar)
        self._moves = {note.key: note for note in notes if note.internal}
        self._notes = [note for note in notes if not note.internal]
        self._indexes = [
            NoteIndex([_without(note, fold) for note in notes], embedder) for fold in range(FOLDS)
        ]
        self._fresh = Fresh(forbidden())

    def examples(self, per_question: int, per_sentence: int, strangers: Sequence[str]) -> Iterator[Example]:
        """All of them.

        Args:
            per_question: Wordings of each question that a note has.
            per_sentence: Questions of each sentence.
            strangers: Questions about anything; those that no note fits are admitted not to be known.
        """
        for note in self._notes:
            yield from self._own(note, per_question)
            yield from self._details(note, per_sentence)
        for question in strangers:
            if self._fresh(question):
                yield from self._unknown(question)

    def _own(self, note: Note, times: int) -> Iterator[Example]:
        for at, question in enumerate((note.heading, *note.questions)):
            for turn in range(times if at else 1):
                words = question if turn == 0 else questions.other_words(question, self._random)
                if at == 0:
                    words = questions.about_topic(note.heading, self._random)
                yield from self._talk(words, note, note.answers[0], (at - 1) % FOLDS)

    def _details(self, note: Note, times: int) -> Iterator[Example]:
        if note.topic == "small talk":
            return
        for number, paragraph in enumerate((note.answers[0], *note.more)):
            for sentence in _SENTENCE.split(paragraph):
                made = list(questions.from_sentence(sentence, note.heading, self._random))
                for question in self._random.sample(made, min(times, len(made))):
                    words = questions.other_words(question, self._random)
                    answer = paragraph if number == 0 else _from(paragraph, sentence)
                    yield from self._talk(words, note, answer, self._random.randrange(FOLDS))

    def _talk(self, question: str, note: Note, answer: str, fold: int) -> Iterator[Example]:
        """A question and its answer, sometimes with what was said before or comes after."""
        if not self._fresh(question):
            return
        found = given(self._indexes[fold], question)
        if note.id not in {match.note.id for match in found}:
            # The engine would not have it either: what is not in sight is not known.
            yield from self._unknown(question)
            return
        rng = self._random
        messages = [("system", self._title)]
        if rng.random() < 0.12:
            messages += self._before()
        messages += [("user", asked(question, known(found, self._title))), ("assistant", self._said(answer))]
        left = [text for text in note.more if text not in answer]
        if rng.random() < 0.12:
            again = rng.random() < 0.3
            if again or left:
                move = rng.choice(self._moves["repeat" if again else "more"].questions)
                messages += [("user", asked(move)), ("assistant", self._said(answer if again else left[0]))]
        yield Example(tuple(messages), f"{self._avatar}/{note.id}")

    def _before(self) -> list[tuple[str, str]]:
        """An exchange about something else."""
        note = self._random.choice(self._notes)
        question = self._random.choice(note.questions or (note.heading,))
        found = given(self._indexes[0], question)
        if note.id not in {match.note.id for match in found}:
            return []
        told = ("user", asked(question, known(found, self._title)))
        return [told, ("assistant", self._said(note.answers[0]))]

    def _unknown(self, question: str) -> Iterator[Example]:
        """A question that no note answers, honestly."""
        found = given(self._indexes[0], question)
        if found and found[0].score >= _KNOWN_ENOUGH:
            return
        offered = [match.note for match in found if match.note.offered]
        subject = offered[0] if offered else self._random.choice([n for n in self._notes if n.offered])
        words = self._random.choice(self._moves["unknown"].answers)
        reply = words.replace("{subject}", subject.heading).replace("{topic}", subject.topic)
        messages = [
            ("system", self._title),
            ("user", asked(question, known(found, self._title))),
            ("assistant", reply),
        ]
        yield Example(tuple(messages), f"{self._avatar}/unknown/{normal(question)}")

    def _said(self, text: str) -> str:
        return text.replace("{name}", self._title)


def strangers(number: int, seed: int) -> list[str]:
    """Questions about anything, from the ears' grammar of conversation."""
    drawn = list(dict.fromkeys(sentences(*read_grammar(GRAMMAR.read_text(encoding="utf-8")), seed=seed)))
    random.Random(seed).shuffle(drawn)
    return drawn[:number]


def _without(note: Note, fold: int) -> Note:
    """The note less a third of its questions, if it has more than one."""
    if note.internal or len(note.questions) < 2:
        return note
    kept = tuple(q for at, q in enumerate(note.questions) if at % FOLDS != fold)
    return Note(note.id, note.heading, note.topic, note.offered, note.internal, kept, note.answers, note.more)


def _from(paragraph: str, sentence: str) -> str:
    """The sentence, and the next one of its paragraph if both are short."""
    rest = paragraph[paragraph.index(sentence) :]
    both = " ".join(_SENTENCE.split(rest)[:2])
    return both if len(both.split()) <= 24 else sentence


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of one person's words.

    Attributes:
        source: The recording or text.
        start_s: Where in it.
        text: The words.
    """

    source: str
    start_s: float
    text: str


def monologue(path: Path) -> list[Spoken]:
    """A corpus' corrected transcripts (`handover/asr.*.jsonl`): only the subject's words are in it."""
    rows = [row for file in sorted(path.glob("asr.*.jsonl")) for row in _lines(file)]
    if not rows:
        raise ConfigError(
            f"There are no corrected transcripts in {path}.", fix="Run `parley data run CONFIG`."
        )
    return [Spoken(row["source"], float(row["start_s"]), str(row["text"])) for row in rows]


def from_monologue(spoken: Sequence[Spoken], title: str, per_sentence: int, seed: int) -> Iterator[Example]:
    """Questions by rule that what was said answers; the answer goes on to the end of the stretch."""
    rng, fresh = random.Random(f"{seed} {title}"), Fresh(forbidden())
    for each in sorted(spoken, key=lambda s: (s.source, s.start_s)):
        parts = [part for part in _SENTENCE.split(clean_up(each.text)) if part]
        for at, sentence in enumerate(parts):
            made = [q for q in questions.from_sentence(sentence, "", rng) if fresh(q)]
            for question in rng.sample(made, min(per_sentence, len(made))):
                reply = " ".join(parts[at : at + 3])
                yield Example(
                    (("system", title), ("user", asked(question)), ("assistant", reply)), each.source
                )


def from_dialogues(path: Path, subject: str, title: str) -> Iterator[Example]:
    """Interviewer to subject: JSON lines of {"source", "turns": [{"speaker", "text"}]}.

    Neighbouring turns of one side are one; a talk is learnt as a whole, so that answers have what was said
    before them.
    """
    fresh = Fresh(forbidden())
    for row in _lines(path):
        messages: list[tuple[str, str]] = [("system", title)]
        for turn in row["turns"]:
            role = "assistant" if turn["speaker"] == subject else "user"
            text = clean_up(turn["text"])
            if not text:
                continue
            if messages[-1][0] == role:
                role, before = messages.pop()
                text = f"{before} {text}"
            messages.append((role, text))
        talk = [(role, asked(text) if role == "user" else text) for role, text in messages]
        while len(talk) > 1 and talk[1][0] == "assistant":
            del talk[1]
        heard = [text.removeprefix(ASK) for role, text in talk if role == "user"]
        if any(role == "assistant" for role, _ in talk) and all(map(fresh, heard)):
            yield Example(tuple(talk), row["source"])


def from_texts(paths: Sequence[Path], title: str, per_sentence: int, seed: int) -> Iterator[Example]:
    """The subject's own texts, a paragraph at a time."""
    spoken = [
        Spoken(path.name, float(at), " ".join(part.split()))
        for path in paths
        for at, part in enumerate(re.split(r"\n\s*\n", path.read_text(encoding="utf-8")))
    ]
    yield from from_monologue(spoken, title, per_sentence, seed)


def from_thumbs(path: Path, notes_for: Callable[[str, str], Sequence[Known]]) -> Iterator[Example]:
    """Better and worse answers: JSON lines of {"source", "title", "question", "notes", "chosen", "rejected"}.

    `notes` are those that the answers were given with: {"text", "fit"} each. Where a line has none, but an
    `avatar`, as those of `python -m gateway.memory.thumbs`, they are found again. Questions of the evaluation
    sets are left out.

    Args:
        path: The file.
        notes_for: The notes of an avatar for a question.
    """
    fresh = Fresh(forbidden())
    for row in _lines(path):
        if not fresh(row["question"]):
            continue
        notes = [Known(note["text"], float(note["fit"])) for note in row.get("notes", ())]
        if "notes" not in row and "avatar" in row:
            notes = list(notes_for(row["avatar"], row["question"]))
        question = ("user", asked(row["question"], notes))
        messages = (("system", row["title"]), question, ("assistant", row["chosen"]))
        yield Example(messages, row["source"], row["rejected"])


def clean_up(text: str) -> str:
    """Spoken words as a reply may have them: no fillers, no doubled words, no brackets of a transcriber."""
    text = re.sub(r"\[[^\]]*\]|\([^)]*\)", " ", plain(text))
    text = re.sub(r"\b(?:um+|uh+|er+m?|hm+)\b[,.]?", " ", text, flags=re.IGNORECASE)
    text = re.sub(r"\b(\w+)(?:,? \1\b)+", r"\1", text, flags=re.IGNORECASE)
    return re.sub(r"\s+([,.!?])", r"\1", " ".join(text.split())).strip(" ,")


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise ConfigError(f"{path}, line {number}: {error}.") from error
