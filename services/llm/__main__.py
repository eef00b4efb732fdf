"""Starts the llm service: `python -m services.llm`."""

import asyncio
import sys

from parley.chain.interface import Stage
from parley.errors import ParleyError
from parley.service import Service, run
from proto.parley.v1 import llm_pb2_grpc
from services.llm.config import LlmSettings
from services.llm.engines import load
from services.llm.servicer import LlmServicer
from services.llm.worker import Worker


async def _serve() -> None:
    settings = LlmSettings()
    engine = load(settings.engine, settings)
    servicer = LlmServicer(engine)
    service = Service(
        name="llm",
        grpc_name="parley.v1.Llm",
        engine=engine.name,
        model=engine.model,
        add_to=lambda server: llm_pb2_grpc.add_LlmServicer_to_server(  # type: ignore[no-untyped-call]
            servicer, server
        ),
        stage=Stage.LLM,
        handle=Worker(engine, settings.avatars_dir).handle,
        calls_tools=engine.calls_tools,
    )
    await run(service, settings)


def main() -> None:
    """Runs until SIGTERM."""
    try:
        asyncio.run(_serve())
    except ParleyError as error:
        sys.exit(f"llm: {error}")


if __name__ == "__main__":
    main()
