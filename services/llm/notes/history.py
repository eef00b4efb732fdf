"""What has been said so far, in terms of notes: what was told, and what the talk is about."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from proto.parley.v1 import chain_pb2 as pb
from services.llm.notes.markdown import Note
from services.llm.notes.words import normal

_RECOGNISED_BY = 40
_SHORTEST = 12


@dataclass(frozen=True, slots=True)
class Topic:
    """A note that was talked about, and the history's index of the message that did."""

    note: Note
    message: int


class Past:
    """The conversation before the words that are to be answered.

    Nothing is kept between turns, so that any replica can answer any turn: what was told is found again in
    the text.
    """

    def __init__(self, history: Sequence[pb.Message], notes: Sequence[Note]) -> None:
        """Args:
        history: All messages; the last one is what the person just said.
        notes: All notes of the avatar.
        """
        self._messages = [(message.role, message.text.strip()) for message in history[:-1]]
        self._normal = [normal(text) for _, text in self._messages]
        self._notes = notes
        self.topic = self._last_topic()

    @property
    def replies(self) -> int:
        """How often the avatar has spoken."""
        return sum(role == pb.ROLE_ASSISTANT for role, _ in self._messages)

    @property
    def last_reply(self) -> str:
        """What the avatar said last, as far as it was heard; empty if nothing."""
        return next((text for role, text in reversed(self._messages) if role == pb.ROLE_ASSISTANT), "")

    @property
    def questions(self) -> list[str]:
        """What the person said before, oldest first."""
        return [text for role, text in self._messages if role == pb.ROLE_USER]

    def told(self, paragraph: str) -> bool:
        """Whether the avatar has begun to say this paragraph."""
        sign = normal(paragraph)[:_RECOGNISED_BY]
        return any(
            sign in text
            for (role, _), text in zip(self._messages, self._normal, strict=True)
            if role == pb.ROLE_ASSISTANT
        )

    def whole(self, heard: str) -> str:
        """The paragraph that `heard` is the beginning of; `heard` itself if there is none."""
        start = normal(heard)
        for note in self._notes:
            for paragraph in (*note.answers, *note.more):
                if len(start) >= _SHORTEST and normal(paragraph).startswith(start):
                    return paragraph
        return heard

    def offered(self) -> list[str]:
        """What the last reply's last question was about, normalised; empty if it was about nothing."""
        questions = re.findall(r"[^.!?]*\?", self.last_reply)
        if not questions:
            return []
        found = re.search(r"\b(?:about|mean)\b (.+)", normal(questions[-1]))
        return [found[1], found[1].removesuffix(" instead").removesuffix(" perhaps")] if found else []

    def _last_topic(self) -> Topic | None:
        """The note behind the latest of the avatar's last three replies that has one."""
        spoken = [i for i, (role, _) in enumerate(self._messages) if role == pb.ROLE_ASSISTANT]
        for i in reversed(spoken[-3:]):
            note = self._source(self._normal[i])
            if note is not None:
                return Topic(note, i)
        return None

    def _source(self, text: str) -> Note | None:
        """The note that a (normalised) reply was taken from: the one whose words stand last in it."""
        found: tuple[int, Note] | None = None
        for note in self._notes:
            if note.internal:
                continue
            for paragraph in (*note.answers, *note.more):
                sign = normal(paragraph)[:_RECOGNISED_BY]
                at = text.rfind(sign)
                if at < 0 and len(text) >= _SHORTEST and sign.startswith(text):
                    at = 0
                if at >= 0 and (found is None or at > found[0]):
                    found = (at, note)
        return found[1] if found else None
