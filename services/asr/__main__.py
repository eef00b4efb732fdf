"""Starts the ears: `python -m services.asr`."""

import asyncio
import sys

from parley.errors import ParleyError
from parley.service import Service, run
from parley.telemetry import logs
from proto.parley.v1 import asr_pb2_grpc
from services.asr.config import AsrSettings
from services.asr.engines import load
from services.asr.servicer import AsrServicer
from services.asr.vad import load_vad


def main() -> int:
    """Loads the engine and serves until SIGTERM. Returns the exit status."""
    settings = AsrSettings()
    logs.setup("asr", settings.log_level)
    try:
        load_vad()
        engine = load(settings.engine, settings)
        servicer = AsrServicer(engine, settings)
        service = Service(
            name="asr",
            grpc_name="parley.v1.Asr",
            engine=engine.name,
            model=engine.model,
            add_to=lambda server: asr_pb2_grpc.add_AsrServicer_to_server(  # type: ignore[no-untyped-call]
                servicer, server
            ),
            retire=servicer.retire,
        )
        asyncio.run(run(service, settings))
    except ParleyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
