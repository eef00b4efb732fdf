"""Which message type is where, and what is common to all of them."""

import time

from parley.chain.interface import OUTPUT, Entry, Item, Piece, Stage, Track
from parley.telemetry import metrics
from proto.parley.v1 import chain_pb2 as pb

PIECE_OF: dict[Track, type[pb.TextPiece] | type[pb.SpeechPiece] | type[pb.VideoPiece]] = {
    Track.TEXT: pb.TextPiece,
    Track.AUDIO: pb.SpeechPiece,
    Track.VIDEO: pb.VideoPiece,
}
ITEM_OF: dict[Stage, type[pb.Turn] | type[pb.Reply]] = {
    Stage.LLM: pb.Turn,
    Stage.TTS: pb.Reply,
    Stage.SDA: pb.Reply,
}
UPSTREAM = {Stage.TTS: Track.TEXT, Stage.SDA: Track.AUDIO}

MAX_DELIVERIES = 3


def unix_ms() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000


def error_piece(stage: Stage, code: str, message: str) -> Piece:
    """The piece that ends a reply visibly, on the stage's own track."""
    error = pb.StageError(stage=stage.value, code=code, message=message)
    return PIECE_OF[OUTPUT[stage]](error=error, created_unix_ms=unix_ms())


def reply_for(item: Item) -> pb.Reply:
    """The next stage's work item."""
    return pb.Reply(
        trace=item.trace,
        avatar=item.avatar,
        video=item.video if item.HasField("video") else None,
        created_unix_ms=item.created_unix_ms,
        deadline_unix_ms=item.deadline_unix_ms,
    )


def ends_reply(entry: Entry) -> bool:
    """Whether nothing follows this piece on its track."""
    return entry.piece is not None and (entry.piece.last or entry.piece.HasField("error"))


def refused_piece(stage: Stage, item: Item, *, begun: bool, deliveries: int) -> Piece | None:
    """The error piece for an item that is not to be worked on; None: work on it.

    Args:
        stage: Whose item it is.
        item: The item.
        begun: The stage has published pieces of this reply. Such a reply is never too late: it is being
            heard.
        deliveries: How many workers have had the item, this one included.
    """
    if deliveries > MAX_DELIVERIES:
        code, message = (
            "worker_crashed",
            f"{deliveries - 1} {stage} workers died on this reply; see their logs.",
        )
    elif not begun and 0 < item.deadline_unix_ms < unix_ms():
        code, message = "too_late", f"No {stage} worker was free in time; start more of them, or try again."
    else:
        return None
    metrics.count_failed(stage, code)
    return error_piece(stage, code, message)
