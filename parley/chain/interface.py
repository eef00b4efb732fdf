"""The chain: one interface, two carriers (Redis across processes, memory inside one).

Fencing. Every entry of an output stream has the id `{generation}-{seq}` and ids only grow: late writes of a
flushed generation and repeats after a take-over are refused by the carrier itself, atomically.
Ownership. Of one item only the last claimer may publish: an earlier one gets `LostClaim`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from proto.parley.v1 import chain_pb2 as pb


class Stage(StrEnum):
    """A stage that consumes work items; also the name of its consumer group."""

    LLM = "llm"
    TTS = "tts"
    SDA = "sda"


class Track(StrEnum):
    """A session's output stream: `out:{session}:{track}`."""

    TEXT = "text"
    AUDIO = "audio"
    VIDEO = "video"


WORK_STREAM = {Stage.LLM: "turns", Stage.TTS: "sentences", Stage.SDA: "utterances"}
OUTPUT = {Stage.LLM: Track.TEXT, Stage.TTS: Track.AUDIO, Stage.SDA: Track.VIDEO}
NEXT = {Stage.LLM: Stage.TTS, Stage.TTS: Stage.SDA}

Item = pb.Turn | pb.Reply
Piece = pb.TextPiece | pb.SpeechPiece | pb.VideoPiece
ItemT = TypeVar("ItemT", pb.Turn, pb.Reply)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an output stream. `piece` is None for a flush: all earlier generations are void."""

    track: Track
    generation: int
    seq: int
    piece: Piece | None


class Claim(Protocol):
    """A work item that this worker owns for now. Heartbeats are the carrier's business."""

    item: Item
    taken_over: bool
    stale: asyncio.Event  # set once the generation was flushed or the claim lost: stop the model

    async def publish(self, seq: int, piece: Piece) -> bool:
        """Appends to the stage's output stream as `{generation}-{seq}`; sets `created_unix_ms` if it is 0.

        Returns:
            False when that seq (or a later one) is already there: a repeat after a take-over.

        Raises:
            StaleGeneration: The generation was flushed.
            LostClaim: Another worker owns the item now.
            ChainUnavailable: The carrier does not answer.
        """

    async def hand_on(self) -> None:
        """Asks the next stage to join this reply; once per reply however often it is called."""

    def upstream(self) -> AsyncIterator[Entry]:
        """This generation's pieces of the previous stage's stream, from its first, as they arrive.

        Ends after the piece with `last` or `error`. Raises StaleGeneration if the generation is flushed.
        """

    async def published(self) -> list[Entry]:
        """What this stage's stream already holds of this generation (from a worker that died)."""

    async def wait_for_credit(self, pts_samples: int, *, ahead_samples: int) -> None:
        """Waits until the client has played to within `ahead_samples` of `pts_samples`.

        Raises StaleGeneration if the generation is flushed meanwhile.
        """

    def played_samples(self) -> int:
        """What the client has played of this reply, as last reported (media clock)."""


class Chain(Protocol):
    """Both ends of the chain: the conversation's and the workers'."""

    async def start(self) -> None:
        """Connects. Raises ChainUnavailable with the fix if the carrier does not answer."""

    async def close(self) -> None:
        """Stops reading and disconnects."""

    async def open_session(self, session: str) -> None:
        """Creates the session's keys, with an expiry that its activity renews."""

    async def close_session(self, session: str) -> None:
        """Flushes and deletes all that the session holds."""

    async def submit(self, turn: pb.Turn) -> None:
        """Makes `turn.trace.generation` current and queues the turn."""

    async def flush(self, session: str, generation: int) -> None:
        """Voids every generation below `generation`: writes `{generation}-0` to all the session's streams."""

    async def report_played(self, session: str, generation: int, samples: int) -> None:
        """Records the client's playback position: the workers' credit."""

    async def foresee(self, turn: pb.Turn) -> bool:
        """Tells the minds what may soon have to be answered. A hint: it is not kept, and may be lost.

        Returns:
            Whether anybody listens.
        """

    def foreseen(self) -> AsyncIterator[pb.Turn]:
        """Hints from this call on. Each reaches one listener; the others get it without history, so that they
        stop what they do for an earlier one. Ends when the chain is closed."""

    def subscribe(self, session: str, tracks: Sequence[Track]) -> AsyncIterator[Entry]:
        """Live entries of the session's output streams from this call on, flushes included.

        "This call": what is submitted or flushed through the same chain after it returns is seen in full.

        Entries of one track come in order; a reader that falls behind is told by ChainUnavailable.
        """

    def claims(self, stage: Stage, *, consumer: str, capacity: int) -> AsyncIterator[Claim]:
        """Work items for this worker, new ones and those of dead workers; at most `capacity` at once.

        The consumer must call `done` or `release` for each. Items that cannot be worked on (too late,
        flushed, or given up after several workers died on them) are dealt with inside; the first and the
        last end visibly. Closing the iterator takes no new items; those taken stay owned. Never raises
        ChainUnavailable: it waits for the carrier to come back.
        """

    async def done(self, claim: Claim) -> None:
        """Acknowledges and deletes the item; nothing happens if another worker owns it by now."""

    async def release(self, claim: Claim) -> None:
        """Gives the item up undone: another worker takes it over at once."""
