"""Engine `transformer`: a small language model in this process, which answers from the notes given to it."""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers.decoders import DecodeStream

from parley.avatars import Avatar, list_avatars, load_avatar
from parley.engines import TextDelta
from proto.parley.v1 import chain_pb2 as pb
from services.llm.config import LlmSettings
from services.llm.engines.notes import frozen
from services.llm.engines.transformer_grounding import Grounding
from services.llm.engines.transformer_model import Adapter, Past, TransformerModel
from services.llm.engines.transformer_notes import given, known, notes_of
from services.llm.engines.transformer_prompt import END, NOTE, SPECIAL, asked, plain, rendered
from services.llm.notes import skills
from services.llm.notes.dialogue import REFUSE
from services.llm.notes.embedder import Embedder
from services.llm.notes.index import Match, NoteIndex
from services.llm.notes.words import STOP_WORDS, normal, stem
from services.llm.policy import is_refusal, load_policy
from services.llm.replies import rest_after

TALKS_KEPT = 16
KEPT_S = 600.0
_RESTS_ON = 0.6  # of the reply's telling words
_IN_SIGHT = re.compile(rf"{re.escape(NOTE)}(?:<\|fit\d\|>)?(.*?)(?=<\|)")

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Read:
    """Tokens that were read, what was computed for them, with which adapter, and when."""

    ids: Ids
    past: Past
    adapter: str
    at: float


class Talks:
    """What was computed for talks, for a while. Filed under their tokens: none finds another's words."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: OrderedDict[bytes, _Read] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def begun(self, ids: Ids, adapter: str) -> Past | None:
        """The past of the longest beginning of `ids` that was read; always less than all of them."""
        self._forget_old()
        best, talk = 0, None
        for read in self._kept.values():
            same = _alike(read.ids, ids[:-1]) if read.adapter == adapter else 0
            if same > best:
                best, talk = same, read
        return talk.past.upto(best) if talk else None

    def keep(self, ids: Ids, past: Past, adapter: str) -> None:
        """Keeps what was computed for `ids` in place of what it goes on from."""
        for key, read in list(self._kept.items()):
            if read.adapter == adapter and _alike(read.ids, ids) == len(read.ids):
                del self._kept[key]
        self._kept[ids.tobytes() + adapter.encode()] = _Read(ids, past, adapter, self._now())
        while len(self._kept) > TALKS_KEPT:
            self._kept.popitem(last=False)

    def _forget_old(self) -> None:
        for key, read in list(self._kept.items()):
            if read.at < self._now() - KEPT_S:
                del self._kept[key]


class TransformerEngine:
    """Streams token by token; each is computed in a thread, so that nothing else waits for it.

    What the policy refuses, the time, and sums are answered by rule, as the `notes` engine does.
    `turn.instructions` has no meaning for it: it is too small to be told who to be.

    Attributes:
        unknown_bias: See `LlmSettings.transformer_unknown_bias`.
    """

    name = "transformer"
    calls_tools = False

    def __init__(
        self, settings: LlmSettings, embedder: Embedder | None = None, *, rules: bool = True
    ) -> None:
        """Loads the model and reads the avatars' notes.

        Args:
            settings: See `LlmSettings`.
            embedder: For the notes; None: a new one.
            rules: Whether rules answer what is no matter for a model; without them it is only measured.

        Raises:
            EngineUnavailable: The weights are missing or are not the right ones.
            ConfigError: The policy, or an avatar's manifest, is malformed.
        """
        self._settings, self._rules = settings, rules
        self._net = TransformerModel(settings.transformer)
        self.model = (
            f"{self._net.manifest['model']}, {self._net.manifest['parameters'] / 1e6:.1f} M parameters"
        )
        self.unknown_bias = settings.transformer_unknown_bias
        self._policy = load_policy(settings.policy)
        self._embedder = embedder or Embedder()
        self._talks = Talks()
        self._indexes = lru_cache(maxsize=64)(self._index)
        self._adapters = lru_cache(maxsize=64)(self._read_adapter)
        tokens = self._net.tokenizer
        self._end = tokens.encode(END, add_special_tokens=False).ids[0]
        self._unsaid = np.array([tokens.token_to_id(token) for token in SPECIAL if token != END])
        for avatar in list_avatars(settings.avatars_dir):
            self._indexes(avatar.name, frozen(avatar.notes))

    async def generate(self, turn: pb.Turn, *, spoken: str = "") -> AsyncGenerator[TextDelta, None]:
        """Streams the reply; see `parley.engines.LlmEngine`. Closing the iterator stops the model.

        Raises:
            UnknownAvatar: There is no such avatar.
            EngineUnavailable: The avatar's adapter is missing, or made for another model.
        """
        avatar = load_avatar(self._settings.avatars_dir, turn.avatar)
        if self._rules and (by_rule := await asyncio.to_thread(self._by_rule, turn, avatar)):
            yield TextDelta(rest_after(by_rule.text, spoken), citations=by_rule.citations)
            return
        adapter = self._adapter_of(avatar)
        prompt, matches = await asyncio.to_thread(self._prompt, turn, avatar)
        grounding = self._grounding(avatar, prompt, matches, spoken)
        ids = np.array([*prompt, *self._tokens(spoken)], np.int64)
        past = self._talks.begun(ids, avatar.mind.adapter) or self._net.nothing()
        new, said = ids[len(past) :], spoken
        stream = DecodeStream(skip_special_tokens=True)
        limit = min(turn.max_output_tokens or self._settings.transformer_tokens, self._net.context - len(ids))
        for at in range(limit):
            logits, past = await asyncio.to_thread(self._net.read, new, past, adapter)
            logits[self._unsaid] = -np.inf
            if at == 0 and not spoken:
                logits[self._end] = -np.inf
            if grounding is not None:
                logits = grounding.held(logits, self.unknown_bias)
            new = np.array([int(logits.argmax())], np.int64)
            ids = np.append(ids, new)
            if grounding is not None:
                grounding.take(int(new[0]))
            if new[0] == self._end:
                break
            if text := stream.step(self._net.tokenizer, int(new[0])):
                said += text
                yield TextDelta(text)
        self._talks.keep(ids[: len(past)], past, avatar.mind.adapter)
        if cited := _rests_on(said, matches):
            yield TextDelta("", citations=[cited])

    def _by_rule(self, turn: pb.Turn, avatar: Avatar) -> TextDelta | None:
        """What is no matter for a model: refusals, the clock, sums."""
        text = turn.history[-1].text
        found = self._indexes(avatar.name, frozen(avatar.notes)).search(text, limit=1)
        if found and is_refusal(found[0].note) and found[0].score >= REFUSE:
            return TextDelta(found[0].note.answers[0], citations=[found[0].note.id])
        now = datetime.fromtimestamp(turn.created_unix_ms / 1000) if turn.created_unix_ms else datetime.now()
        said = skills.clock(normal(text), now) or skills.arithmetic(normal(text))
        return TextDelta(said) if said else None

    def _prompt(self, turn: pb.Turn, avatar: Avatar) -> tuple[list[int], list[Match]]:
        """The talk in tokens, as much of it as leaves room for the reply; and the notes for its last words.

        Each question of the past gets the notes again that it had: nothing need be kept to know them.
        """
        index = self._indexes(avatar.name, frozen(avatar.notes))
        system = ("system", plain(avatar.title))
        talk: list[tuple[str, str]] = []
        matches: list[Match] = []
        for message in turn.history:
            if message.role == pb.ROLE_USER:
                matches = given(index, message.text) if self._settings.transformer_retrieves else []
                talk.append(("user", asked(message.text, known(matches, avatar.title))))
            elif message.role == pb.ROLE_ASSISTANT and message.text:
                talk.append(("assistant", plain(message.text)))
        room = self._net.context - (turn.max_output_tokens or self._settings.transformer_tokens)
        ids = self._tokens(rendered([system, *talk]))
        while len(ids) > room and len(talk) > 1:
            talk = talk[1:]
            ids = self._tokens(rendered([system, *talk]))
        return ids[-room:], matches

    def _grounding(
        self, avatar: Avatar, prompt: list[int], matches: Sequence[Match], spoken: str
    ) -> Grounding | None:
        """What the reply may say: the notes in the prompt, and that it does not know. None: anything."""
        if not self._settings.transformer_grounded:
            return None
        text = self._net.tokenizer.decode(prompt, skip_special_tokens=False)
        told = [note.partition(": ")[2] for note in _IN_SIGHT.findall(text)]
        notes = self._indexes(avatar.name, frozen(avatar.notes)).notes
        offered = [match.note for match in matches if match.note.offered] or [n for n in notes if n.offered]
        subject = offered[0] if offered else notes[0]
        admitted = next(note for note in notes if note.internal and note.key == "unknown").answers
        stock = [
            words.replace("{subject}", subject.heading).replace("{topic}", subject.topic)
            for words in admitted
        ]
        grounding = Grounding(told, stock, self._tokens, self._end)
        for token in self._tokens(spoken):
            grounding.take(token)
        return grounding

    def _tokens(self, text: str) -> list[int]:
        return list(self._net.tokenizer.encode(text, add_special_tokens=False).ids)

    def _adapter_of(self, avatar: Avatar) -> Adapter | None:
        """The avatar's adapter, read again when its file changes."""
        name = avatar.mind.adapter
        if not name:
            return None
        path = self._settings.transformer / "adapters" / f"{name}.npz"
        return self._adapters(path, path.stat().st_mtime_ns if path.is_file() else 0)

    def _read_adapter(self, path: Path, _changed_ns: int) -> Adapter:
        return self._net.read_adapter(path)

    def _index(self, avatar: str, _files: tuple[tuple[str, str], ...]) -> NoteIndex:
        own = notes_of(self._settings.avatars_dir, avatar)
        return NoteIndex([*own, *self._policy.notes], self._embedder)


def _alike(a: Ids, b: Ids) -> int:
    """How many tokens the two share at their front."""
    shorter = min(len(a), len(b))
    differ = np.flatnonzero(a[:shorter] != b[:shorter])
    return int(differ[0]) if len(differ) else shorter


def _rests_on(said: str, matches: Sequence[Match]) -> str:
    """The note that most of the reply's telling words stand in; empty: none."""
    telling = {stem(word) for word in normal(said).split() if word not in STOP_WORDS}
    best, note = 0.0, ""
    for match in matches:
        text = " ".join((*match.note.answers, *match.note.more))
        share = len(telling & {stem(word) for word in normal(text).split()}) / max(len(telling), 1)
        if share > best:
            best, note = share, match.note.id
    return note if best >= _RESTS_ON else ""
