"""Engine `notes`: answers from what the avatar's notes say, and admits what they don't."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from parley.avatars import Avatar, list_avatars, load_avatar
from parley.engines import TextDelta
from proto.parley.v1 import chain_pb2 as pb
from services.llm.notes.dialogue import Answer, Dialogue
from services.llm.notes.embedder import Embedder
from services.llm.notes.index import Match, NoteIndex
from services.llm.notes.markdown import Note, parse, parse_file
from services.llm.policy import DEFAULT as POLICY
from services.llm.policy import load_policy
from services.llm.replies import rest_after

COMMON = Path(__file__).resolve().parents[1] / "notes" / "common.md"
_AVATARS_KEPT = 64


class NotesEngine:
    """Retrieval over the persona's own text; no words are made up, so none can be false.

    `turn.instructions` and `max_output_tokens` have no meaning for it: an answer is as its note says.
    """

    name = "notes"
    model = "MiniLM-L6 retrieval over the avatar's notes"
    calls_tools = False

    def __init__(self, avatars_dir: Path, embedder: Embedder | None = None, *, policy: Path = POLICY) -> None:
        """Loads the embedder and every installed avatar's notes; later ones are read when first talked to.

        Args:
            avatars_dir: Where the avatars are.
            embedder: For the notes; None: a new one.
            policy: What is refused.

        Raises:
            EngineUnavailable: The embedder's weights are missing.
            ConfigError: An avatar's manifest, or the policy, is malformed.
        """
        self._avatars_dir = avatars_dir
        self._policy = load_policy(policy)
        self._embedder = embedder or Embedder()
        self._dialogues = lru_cache(maxsize=_AVATARS_KEPT)(self._dialogue)
        for avatar in list_avatars(avatars_dir):
            self._dialogues(avatar.name, frozen(avatar.notes))

    async def generate(self, turn: pb.Turn, *, spoken: str = "") -> AsyncGenerator[TextDelta, None]:
        """Streams the answer (in one delta: it is found in milliseconds); see `parley.engines.LlmEngine`.

        Raises:
            UnknownAvatar: There is no such avatar.
        """
        answer = await asyncio.to_thread(self.answer, turn)
        rest = rest_after(answer.text, spoken)
        if rest:
            yield TextDelta(rest, citations=[answer.note] if answer.note else [])

    def answer(self, turn: pb.Turn) -> Answer:
        """The answer with what it rests on; blocks for some milliseconds."""
        dialogue = self._dialogue_of(turn)
        # The turn's own time, so that a take-over gives the same answer.
        now = datetime.fromtimestamp(turn.created_unix_ms / 1000) if turn.created_unix_ms else datetime.now()
        return dialogue.answer(turn.history, now, facts=turn.facts)

    def matches(self, turn: pb.Turn, *, limit: int) -> list[Match]:
        """The notes that the person's words are about, best first."""
        return self._dialogue_of(turn).matches(turn.history[-1].text, limit=limit)

    def _dialogue_of(self, turn: pb.Turn) -> Dialogue:
        avatar = load_avatar(self._avatars_dir, turn.avatar)
        return self._dialogues(avatar.name, frozen(avatar.notes))

    def _dialogue(self, avatar: str, files: tuple[tuple[str, str], ...]) -> Dialogue:
        loaded: Avatar = load_avatar(self._avatars_dir, avatar)
        return Dialogue(
            NoteIndex([*with_common(parse(dict(files))), *self._policy.notes], self._embedder), loaded.title
        )


def with_common(notes: list[Note]) -> list[Note]:
    """An avatar's notes, and the common ones that it does not replace by a note of the same heading."""
    own = {note.key for note in notes}
    common = parse_file(COMMON.stem, COMMON.read_text(encoding="utf-8"))
    # Its introduction is for people to read; nobody asks for it.
    return notes + [note for note in common if note.key not in own and (note.internal or note.questions)]


def frozen(files: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Notes as a key: an edited file makes a new index."""
    return tuple(files.items())
