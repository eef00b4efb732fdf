"""A reply in rounds: the mind calls what is run here, reads the results, and goes on."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Protocol

from parley.engines import LlmEngine, TextDelta
from parley.errors import BadRequest
from proto.parley.v1 import chain_pb2 as pb

log = logging.getLogger(__name__)

MAX_ROUNDS = 5
ALONE = (
    "Not done: it cannot be called together with the others. Call it again by itself if it is still needed."
)
UNKNOWN = "There is no such function."

Wanted = Callable[[], Awaitable[None]]


class Toolbox(Protocol):
    """Functions that are run on this side. `services.llm.tools.mcp` has one."""

    def tools(self) -> list[pb.Tool]:
        """Those that can be called now."""

    def harmless(self, name: str) -> bool:
        """Whether calling it changes nothing in the world."""

    async def call(self, name: str, arguments: str) -> str:
        """What came of it, in words for the model, also when it failed. Ends within its time limit.

        Args:
            name: One of `tools`.
            arguments: JSON, as the model wrote it.
        """


async def at_once() -> None:
    """The turn is no guess."""


async def in_rounds(
    engine: LlmEngine,
    turn: pb.Turn,
    *,
    spoken: str = "",
    toolbox: Toolbox | None = None,
    wanted: Wanted = at_once,
) -> AsyncGenerator[TextDelta, None]:
    """Streams the reply; what the client is to call comes last, in `calls`.

    The last of the rounds may call nothing, so a reply always ends. A function that is run here, and one that
    the client has, cannot be waited for at once: then the client's is put off.

    Args:
        engine: Who answers.
        turn: What to answer.
        spoken: See `LlmEngine.generate`.
        toolbox: What is run here.
        wanted: Returns once the turn is no guess any more: before it, nothing is done that has effects.

    Raises:
        BadRequest: A call is demanded of an engine that makes none.
        ParleyError: Whatever the engine raises.
    """
    theirs = {tool.name for tool in turn.tools}
    turn = offered(engine, turn, toolbox)
    here = {tool.name for tool in turn.tools} - theirs
    for round_ in range(1, MAX_ROUNDS + 1):
        if round_ == MAX_ROUNDS:
            turn.tool_choice = "none"
        said, calls = spoken, list[pb.ToolCall]()
        async with aclosing(engine.generate(turn, spoken=spoken)) as deltas:
            async for delta in deltas:
                said += delta.text
                calls += delta.calls
                if delta.text or delta.citations:
                    yield delta
        if all(call.name in theirs for call in calls):
            if calls:
                yield TextDelta("", calls=calls)
            return
        if turn.speculative and not all(
            toolbox.harmless(c.name) for c in calls if toolbox and c.name in here
        ):
            await wanted()
        results = await asyncio.gather(*(_result(call, theirs, here, toolbox) for call in calls))
        if said.strip():
            turn.history.add(role=pb.ROLE_ASSISTANT, text=said)
            yield TextDelta(" ")
        turn.history.extend(pb.Message(role=pb.ROLE_ASSISTANT, call=call) for call in calls)
        turn.history.extend(
            pb.Message(role=pb.ROLE_TOOL, call_id=call.id, text=result)
            for call, result in zip(calls, results, strict=True)
        )
        spoken, turn.tool_choice = "", ""


async def _result(call: pb.ToolCall, theirs: set[str], here: set[str], toolbox: Toolbox | None) -> str:
    if call.name in theirs:
        return ALONE
    if toolbox is None or call.name not in here:
        log.warning("the model called what does not exist", extra={"function": call.name})
        return UNKNOWN
    return await toolbox.call(call.name, call.arguments)


def offered(engine: LlmEngine, turn: pb.Turn, toolbox: Toolbox | None) -> pb.Turn:
    """A copy of the turn as the engine gets it: with our functions, or, if it knows none, without any.

    Raises:
        BadRequest: A call is demanded of an engine that makes none.
    """
    own = pb.Turn()
    own.CopyFrom(turn)
    if engine.calls_tools:
        theirs = {tool.name for tool in turn.tools}
        if toolbox is not None and turn.tool_choice != "none":
            own.tools.extend(tool for tool in toolbox.tools() if tool.name not in theirs)
        return own
    if turn.tool_choice == "required" or turn.tool_choice.startswith("function:"):
        raise BadRequest(
            f"The {engine.name} engine calls no functions, and tool_choice demands a call.",
            fix="Set tool_choice to auto, or serve a language model: PARLEY_LLM_ENGINE=vllm.",
            code="tools_unsupported",
        )
    del own.tools[:], own.history[:]
    own.history.extend(m for m in turn.history if not m.HasField("call") and m.role != pb.ROLE_TOOL)
    return own
