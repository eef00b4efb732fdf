"""Starts the llm service: `python -m services.llm`."""

import asyncio
import sys
from contextlib import AsyncExitStack

from parley.chain.interface import Stage
from parley.engines import LlmEngine
from parley.errors import ConfigError, ParleyError
from parley.service import Service, run
from proto.parley.v1 import llm_pb2_grpc
from services.llm.config import LlmSettings
from services.llm.engines import load
from services.llm.foresight import Foresight, ReadsAhead
from services.llm.servicer import LlmServicer
from services.llm.tools.rounds import Toolbox
from services.llm.worker import Worker


async def _serve() -> None:
    settings = LlmSettings()
    engine = load(settings.engine, settings)
    async with AsyncExitStack() as opened:
        toolbox = await _toolbox(settings, engine, opened)
        foresight = None
        if settings.prefill != "off" and isinstance(engine, ReadsAhead):
            foresight = Foresight(engine, toolbox)
        servicer = LlmServicer(engine, toolbox)
        service = Service(
            name="llm",
            grpc_name="parley.v1.Llm",
            engine=engine.name,
            model=engine.model,
            add_to=lambda server: llm_pb2_grpc.add_LlmServicer_to_server(  # type: ignore[no-untyped-call]
                servicer, server
            ),
            stage=Stage.LLM,
            handle=Worker(engine, settings.avatars_dir, toolbox, foresight).handle,
            beside=foresight.run if foresight else None,
            calls_tools=engine.calls_tools,
        )
        await run(service, settings)


async def _toolbox(settings: LlmSettings, engine: LlmEngine, opened: AsyncExitStack) -> Toolbox | None:
    """The operator's functions, connected as long as `opened` is open; None: there are none."""
    if settings.tools is None:
        return None
    if not engine.calls_tools:
        raise ConfigError(
            f"PARLEY_LLM_TOOLS is set, but the {engine.name} engine calls no functions.",
            fix="Unset it, or set PARLEY_LLM_ENGINE=vllm.",
        )
    from services.llm.tools.mcp import load_toolbox

    return await opened.enter_async_context(load_toolbox(settings.tools))


def main() -> None:
    """Runs until SIGTERM."""
    try:
        asyncio.run(_serve())
    except ParleyError as error:
        sys.exit(f"llm: {error}")


if __name__ == "__main__":
    main()
