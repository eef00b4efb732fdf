"""From a turn to the pieces of its reply: the one path that both doors of the service take."""

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from parley.engines import LlmEngine, TextDelta
from parley.errors import BadRequest
from proto.parley.v1 import chain_pb2 as pb
from services.llm.clauses import ClauseChunker
from services.llm.spoken import clean
from services.llm.tools.rounds import Toolbox, Wanted, at_once, in_rounds

log = logging.getLogger(__name__)


def check(turn: pb.Turn) -> None:
    """Refuses a turn that nobody could answer.

    Raises:
        BadRequest: There is nothing to answer and nothing to say.
    """
    if turn.verbatim:
        return
    if not turn.history or turn.history[-1].role not in (pb.ROLE_USER, pb.ROLE_TOOL):
        raise BadRequest(
            "The turn has nothing to answer.",
            fix="End `history` with a message of ROLE_USER or ROLE_TOOL, or set `verbatim`.",
        )


async def reply_pieces(
    engine: LlmEngine,
    turn: pb.Turn,
    *,
    spoken: str = "",
    toolbox: Toolbox | None = None,
    wanted: Wanted = at_once,
) -> AsyncGenerator[pb.TextPiece, None]:
    """Streams the reply clause by clause; the last piece has `last`, and may be empty. Calls are in the last.

    Args:
        engine: Who answers; not asked when the turn is `verbatim`.
        turn: What to answer.
        spoken: Concatenation of the pieces that were already published, when this is a take-over.
        toolbox: See `in_rounds`.
        wanted: See `in_rounds`.

    Raises:
        BadRequest: See `check` and `in_rounds`.
        ParleyError: Whatever the engine raises.
    """
    check(turn)
    chunker = ClauseChunker(after=spoken)
    citations: list[str] = []
    calls: list[pb.ToolCall] = []

    def piece(text: str, *, last: bool = False) -> pb.TextPiece:
        made = pb.TextPiece(
            text=text, last=last, citations=citations, created_unix_ms=time.time_ns() // 1_000_000
        )
        citations.clear()
        return made

    deltas = (
        _verbatim(turn.verbatim, spoken)
        if turn.verbatim
        else in_rounds(engine, turn, spoken=spoken, toolbox=toolbox, wanted=wanted)
    )
    async with aclosing(deltas) as stream:
        async for delta in stream:
            citations += [c for c in delta.citations if c not in citations]
            calls += delta.calls
            for clause in chunker.feed(delta.text):
                yield piece(clause)
    *clauses, end = chunker.finish() or [""]
    for clause in clauses:
        yield piece(clause)
    closing = piece(end, last=True)
    closing.calls.extend(calls)
    yield closing


def rest_after(text: str, spoken: str) -> str:
    """What is left to say of `text` when `spoken`, its cleaned beginning, has been said.

    A reply that does not begin like that (the notes were edited in between) ends where it stands.
    """
    cleaned = clean(text)
    if cleaned.startswith(spoken):
        return cleaned[len(spoken) :]
    log.warning("the reply taken over is no longer the same: it ends here", extra={"spoken": len(spoken)})
    return ""


async def _verbatim(text: str, spoken: str) -> AsyncGenerator[TextDelta, None]:
    yield TextDelta(rest_after(text, spoken))
