"""What a conversation can be asked, and what it asks of its ears."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from parley.conversation.events import ConversationEvent
from proto.parley.v1 import asr_pb2, chain_pb2


@dataclass(frozen=True, slots=True)
class TurnDetection:
    """How the end of a turn is found. `enabled` False: push-to-talk, the front commits."""

    enabled: bool = True
    threshold: float = 0.5
    complete_pause_ms: int = 400
    incomplete_pause_ms: int = 850
    max_pause_ms: int = 1500
    interrupt: bool = True
    create_response: bool = True


@dataclass(frozen=True, slots=True)
class ConversationConfig:
    """Everything that a front may change while the conversation runs.

    Attributes:
        turn_detection: See `TurnDetection`.
        instructions: Replaces the persona's system prompt when not empty.
        want_audio: False: replies are text only.
        video: codec empty: no face.
        reports_playback: The front sends `played`; without it the position is estimated from wall time.
        can_pause: The front obeys Paused/Resumed; without it a possible barge-in flushes at once.
        language: BCP-47; empty: the avatar's.
        facts: What is known of the person from earlier talks, in their own words.
        hotwords: Words the ears should expect, besides the avatar's lexicon.
        tools: Functions that the front runs when the avatar calls them.
        tool_choice: As in `Turn.tool_choice`.
    """

    turn_detection: TurnDetection = TurnDetection()
    instructions: str = ""
    want_audio: bool = True
    video: chain_pb2.VideoFormat | None = None
    reports_playback: bool = False
    can_pause: bool = False
    language: str = ""
    hotwords: Sequence[str] = ()
    facts: Sequence[str] = ()
    tools: Sequence[chain_pb2.Tool] = ()
    tool_choice: str = ""


class EarStream(Protocol):
    """An open Listen stream: the gRPC service, or the same listener in process."""

    async def send(self, request: asr_pb2.ListenRequest) -> None:
        """Raises ServiceUnavailable if the ears are gone."""

    def events(self) -> AsyncIterator[asr_pb2.ListenEvent]:
        """Raises ServiceUnavailable if the ears are gone."""

    async def close(self) -> None:
        """Ends the stream."""


class Ears(Protocol):
    """Opens listening streams."""

    async def open(self, config: asr_pb2.ListenConfig) -> EarStream:
        """Raises ServiceUnavailable with the fix if nobody listens."""


class Conversation(Protocol):
    """One person's talk with one avatar. Implemented by `parley.conversation.session`."""

    session: str

    async def start(self) -> None: ...
    async def close(self) -> None: ...
    async def configure(self, config: ConversationConfig) -> None: ...
    async def hear(self, pcm: bytes) -> None:
        """More microphone audio, s16le mono 24 kHz, any whole number of samples."""

    async def commit(self) -> str:
        """Ends the person's turn by hand (push-to-talk). Returns the item id.

        Raises BadRequest if nothing was heard since the last turn.
        """

    async def clear_input(self) -> None:
        """Forgets what was heard of the current turn."""

    async def add_message(self, role: str, text: str, *, item_id: str | None = None) -> str:
        """Adds a text message to the history without answering it. Returns the item id."""

    async def add_call(self, call: chain_pb2.ToolCall, *, item_id: str | None = None) -> str:
        """Adds a call that the avatar made in a conversation that goes on. Returns the item id."""

    async def add_result(self, call_id: str, output: str, *, item_id: str | None = None) -> str:
        """What came of a call. Returns the item id.

        Raises BadRequest if there is no such call, it has its result, or the talk has gone on without it.
        """

    async def delete_item(self, item_id: str) -> None: ...
    async def respond(self, *, instructions: str = "", verbatim: str = "") -> None:
        """Answers the history as it stands (or says `verbatim`), interrupting a reply that runs.

        To go on from the result of a call it lets that reply finish.
        """

    async def interrupt(self) -> None:
        """Stops the reply that runs, at once; what was heard of it stays in the history."""

    async def played(self, generation: int, samples: int) -> None:
        """The front's playback position, media clock."""

    def events(self) -> AsyncIterator[ConversationEvent]:
        """All that happens, until `close`."""
