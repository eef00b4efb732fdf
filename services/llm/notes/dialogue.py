"""The manners of a conversation: what to answer to what was just said, given all that was said before."""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from proto.parley.v1 import chain_pb2 as pb
from services.llm.notes import skills
from services.llm.notes.history import Past
from services.llm.notes.index import Match, NoteIndex
from services.llm.notes.markdown import Note
from services.llm.notes.words import STOP_WORDS, normal
from services.llm.policy import is_refusal

# Five-fold cross-validation on eval/questions.yaml put "none of the notes" at 0.475, against notes that did
# not yet hold the example questions that the set inspired. Half a logit above that, a note is told; two
# below, it is asked about.
ANSWER, CLARIFY, MOVE = 0.50, 0.40, 0.80
REFUSE = 0.58

_ADDRESS = "(?:hey |hi |hello |ok |okay |so |well |um |uh |oh |ah |and |but |now |please |excuse me |sorry )*"
_PRONOUN = re.compile(r"\b(?:it|its|they|them|their|that|those|these|this|he|she|him|her|one|there)\b")
_INSTEAD = re.compile(
    r"^(?:no )*(?:sorry )?(?:i (?:meant|mean|said)|i (?:asked|was asking)(?: you)?(?: about)?) (?P<rest>.+)"
)
_AND_WHAT = re.compile(
    r"^(?:and |but )?(?:what|how) about (?P<rest>.+)|^and (?P<more>(?:the|a|an|in|for|with) .+)"
)
_AND_YOU = re.compile(r"^(?P<rest>.*?)\b(?:and|what about|how about) (?:you|yours|yourself)$")
_QUESTION = re.compile(
    r"^(?:what|who|whom|whose|where|when|why|how|which|is|are|was|were|do|does|did|can|could|will|would|should|"
    r"shall|may|have|has|am|tell|explain|describe|name|give|show|say|sing|find|play|set|call|translate|recommend)\b"
)
_ASKS_INSIDE = re.compile(r"\b(?:do you|can you|could you|would you|tell me|what is|how do|i want to know)\b")
_HERE = re.compile(r"\b(?:i|my|me|we|our|us|mine|you|your)\b")
_OTHERS = re.compile(r"\b(?:he|she|they|his|her|their|him|them|had|was|were|mister|himself|herself)\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say.

    Attributes:
        text: As written in the notes, or by a skill.
        kind: "note", "move", "skill", "clarify", "statement", "unknown" or "refusal".
        note: Id of the note that it rests on; empty if on none.
    """

    text: str
    kind: str
    note: str = ""


class Dialogue:
    """One avatar's way of talking. Holds no conversation: the history comes with each turn."""

    def __init__(self, index: NoteIndex, title: str) -> None:
        """Args:
        index: The avatar's notes, with the common ones.
        title: What the avatar calls itself.
        """
        self._index = index
        self._title = title
        self._moves = {note.key: note for note in index.notes if note.internal}
        self._by_heading = {
            normal(note.heading): note for note in index.notes if not note.internal and not is_refusal(note)
        }
        self._offered = [note for note in index.notes if note.offered and note.more]
        self._address = re.compile(rf"^{_ADDRESS}(?:{re.escape(normal(title))}\b ?)?{_ADDRESS}")

    def matches(self, text: str, *, limit: int) -> list[Match]:
        """The notes that `text` is about, best first."""
        return self._index.search(text, limit=limit)

    def answer(self, history: Sequence[pb.Message], now: datetime, *, facts: Sequence[str] = ()) -> Answer:
        """The answer to `history[-1]`; the same for the same history and time.

        Args:
            history: What was said.
            now: The time.
            facts: What the person wants remembered of earlier talks, in their own words.
        """
        return _Turn(self, history, now, facts).answer()


class _Turn:
    """Answers one turn."""

    def __init__(
        self, dialogue: Dialogue, history: Sequence[pb.Message], now: datetime, facts: Sequence[str]
    ) -> None:
        self._d = dialogue
        self._past = Past(history, dialogue._index.notes)
        self._now = now
        self._facts = facts
        self._searched: dict[str, list[Match]] = {}
        self._heard = heard = normal(history[-1].text)
        stripped = dialogue._address.sub("", heard).removesuffix(f" {normal(dialogue._title)}").strip()
        self._text = stripped or heard
        # The same words get another wording each time, and the same one again when a turn is done twice.
        self._seed = zlib.crc32(f"{self._text}/{self._past.replies}".encode())

    def answer(self) -> Answer:
        text = self._text
        if not text:
            return self._say("unclear", kind="move")
        if refused := self._refused(text):
            return Answer(refused.answers[0], "refusal", refused.id)
        if skill := self._skill(text):
            return skill
        if match := _INSTEAD.match(text):
            best = self._best(match["rest"])
            if best and best.score >= CLARIFY:
                return self._tell(best.note)
        if match := _AND_YOU.match(self._heard):
            return self._and_you(match["rest"].strip())
        best = self._best(text)
        if best and best.note.internal and best.score >= MOVE:
            return self._move(best.note.key)
        topical = self._in_context(text, best)
        if topical:
            return topical
        if best and not best.note.internal:
            if best.score >= ANSWER:
                return self._tell(best.note)
            if best.score >= CLARIFY and best.note.offered:
                return self._say("clarify", kind="clarify", note=best.note.id, subject=best.note.heading)
        return self._at_a_loss(text)

    # ---- ways to answer ------------------------------------------------------------------------------

    def _skill(self, text: str) -> Answer | None:
        said = skills.clock(text, self._now) or skills.arithmetic(text)
        if said:
            return Answer(said, "skill")
        if skills.asks_own_name(text):
            name = skills.last_name_given([*self._facts, *self._past.questions])
            return self._say("your-name" if name else "nameless", kind="skill", subject=name or "")
        if self._facts and skills.asks_what_is_remembered(text):
            return Answer(skills.told_back(self._facts), "skill")
        if name := skills.own_name(text):
            return self._say("met", kind="skill", subject=name)
        return None

    def _refused(self, text: str) -> Note | None:
        """The rule against what the person asks for; always in the same words, however often it is asked."""
        found = self._search(text)
        return found[0].note if found and is_refusal(found[0].note) and found[0].score >= REFUSE else None

    def _move(self, key: str) -> Answer:
        """Answers a move in the conversation: more, why, yes, no, say that again, something else."""
        past = self._past
        topic = past.topic.note if past.topic else None
        match key:
            case "repeat" if past.last_reply:
                return Answer(past.whole(past.last_reply), "move", topic.id if topic else "")
            case "repeat":
                return self._say("unclear", kind="move")
            case "more" | "why" if topic:
                return self._more(topic)
            case "more" | "why" | "surprise":
                return self._something(topic)
            case "yes":
                if offered := self._was_offered():
                    return self._tell(offered)
                asked = past.last_reply.endswith("?")
                if topic and not asked and any(not past.told(part) for part in topic.more):
                    return self._more(topic)
        return self._say(key, kind="move")

    def _in_context(self, text: str, best: Match | None) -> Answer | None:
        """Answers by what the talk is about: pronouns, and "what about …"; None: the words must do."""
        topic = self._past.topic
        if topic is None:
            return None
        if match := _AND_WHAT.match(self._heard):
            rest = match["rest"] or match["more"]
            last = normal(self._past.questions[-1]) if self._past.questions else ""
            tries = [self._best(rest), self._best(f"{last} {rest}")]
            found = max((m for m in tries if m and not m.note.internal), key=lambda m: m.score, default=None)
            if found and found.score >= CLARIFY and found.note is not topic.note:
                return self._tell(found.note)
            return None
        if (best and best.score >= ANSWER + 0.15) or not _PRONOUN.search(text) or not _asks(text):
            return None
        resolved = _PRONOUN.sub(topic.note.heading, text, count=1)
        found = self._best(resolved)
        if not found or found.note.internal or found.score < ANSWER:
            return None
        if found.note is not topic.note:
            return self._tell(found.note)
        rare = [word for word in text.split() if word not in STOP_WORDS]
        known = set(normal(" ".join((*topic.note.questions, *topic.note.more))).split())
        if not rare or known.intersection(rare):
            return self._more(topic.note)
        return None

    def _and_you(self, rest: str) -> Answer:
        """Gives the question back that the person has just answered."""
        best = self._best(re.sub(r"\bmy\b", "your", re.sub(r"\bi\b", "you", rest))) if rest else None
        if best and not best.note.internal and best.score >= ANSWER and best.note.key != "i-am-fine":
            return self._tell(best.note)
        asked = self._d._by_heading["how are you"]
        if self._past.topic and self._past.topic.note is asked:
            return self._say("fine-too", kind="move")
        return self._tell(asked)

    def _tell(self, note: Note) -> Answer:
        """The note's first answer, in a wording not used yet; told already, it goes on or says it again."""
        fresh = [text for text in note.answers if not self._past.told(text)]
        if fresh:
            # The first wording is the fullest: it comes first, the others take turns after it.
            chosen = fresh[0] if len(fresh) == len(note.answers) else fresh[self._seed % len(fresh)]
            return Answer(self._filled(chosen), "note", note.id)
        if len(note.answers) > 1:
            return Answer(self._filled(note.answers[self._seed % len(note.answers)]), "note", note.id)
        asked_before = self._heard in [normal(question) for question in self._past.questions]
        if not asked_before and (rest := [text for text in note.more if not self._past.told(text)]):
            return Answer(rest[0], "note", note.id)  # another question on the same thing: likely in there
        again = self._pick("again")
        return Answer(f"{again} {self._filled(note.answers[0])}", "note", note.id)

    def _more(self, note: Note) -> Answer:
        """The note's next untold paragraph; when there is none, says so and offers another topic."""
        for text in note.more:
            if not self._past.told(text):
                return Answer(text, "move", note.id)
        other = self._untold(like=note)
        if other is None:
            return self._say("unknown", kind="move")
        return self._say("exhausted", kind="move", note=note.id, subject=note.heading, other=other.heading)

    def _something(self, topic: Note | None) -> Answer:
        """Tells something new of its own accord."""
        note = self._untold(unlike=topic)
        return self._tell(note) if note else self._say("unclear", kind="move")

    def _at_a_loss(self, text: str) -> Answer:
        """Nothing fits: an honest "I don't know" to a question, a friendly word to anything else."""
        if not _asks(text) and len(text.split()) > 2:
            told = not _HERE.search(text) or len(_OTHERS.findall(text)) > len(_HERE.findall(text))
            return self._say("narration" if told else "statement", kind="statement")
        return self._say("unknown", kind="unknown")

    # ---- helpers -------------------------------------------------------------------------------------

    def _best(self, text: str) -> Match | None:
        return next((match for match in self._search(text) if not is_refusal(match.note)), None)

    def _search(self, text: str) -> list[Match]:
        if text not in self._searched:
            self._searched[text] = self._d._index.search(text, limit=3)
        return self._searched[text]

    def _was_offered(self) -> Note | None:
        """The note that the avatar's last words offered, by heading or by its file's topic."""
        for subject in self._past.offered():
            if subject in self._d._by_heading:
                return self._d._by_heading[subject]
            same = [note for note in self._d._offered if normal(note.topic) == subject]
            fresh = [note for note in same if not self._past.told(note.answers[0])]
            if fresh:
                return fresh[self._seed % len(fresh)]
        return None

    def _untold(self, *, like: Note | None = None, unlike: Note | None = None) -> Note | None:
        """A note to offer that was not told yet, of the same topic as `like`, of another than `unlike`."""
        fresh = [note for note in self._d._offered if not self._past.told(note.answers[0])]
        wanted = [
            note
            for note in fresh
            if (like is None or note.topic == like.topic) and (unlike is None or note.topic != unlike.topic)
        ]
        choice = wanted or fresh
        return choice[self._seed % len(choice)] if choice else None

    def _pick(self, key: str) -> str:
        wordings = self._d._moves[key].answers
        unused = [text for text in wordings if not self._past.told(text.partition("{")[0] or text)]
        return (unused or wordings)[self._seed % len(unused or wordings)]

    def _say(self, key: str, *, kind: str, note: str = "", subject: str = "", other: str = "") -> Answer:
        """One of the engine's own phrases."""
        return Answer(self._filled(self._pick(key), subject=subject, other=other), kind, note)

    def _filled(self, text: str, *, subject: str = "", other: str = "") -> str:
        if "{" not in text:
            return text
        suggestion = (
            None if subject else self._untold(like=self._past.topic.note if self._past.topic else None)
        )
        values = {
            "{name}": self._d._title,
            "{subject}": subject or (suggestion.heading if suggestion else "something else"),
            "{topic}": suggestion.topic if suggestion else "something else",
            "{other}": other,
        }
        for slot, value in values.items():
            text = text.replace(slot, value)
        return text


def _asks(text: str) -> bool:
    """Whether normalised text asks or demands something, as far as words without punctuation tell."""
    return bool(_QUESTION.match(text) or _ASKS_INSIDE.search(text))
