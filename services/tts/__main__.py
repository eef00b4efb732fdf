"""Starts the tts service: `python -m services.tts`."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

from parley.chain.interface import Stage
from parley.errors import ParleyError
from parley.service import Service, run
from parley.telemetry import logs
from proto.parley.v1 import tts_pb2_grpc
from services.tts.config import TtsSettings
from services.tts.engines import load
from services.tts.servicer import TtsServicer
from services.tts.voices import Casting
from services.tts.worker import Worker


def main() -> None:
    """Loads the engine, measures the avatars' voices, and serves until told to stop."""
    settings = TtsSettings()
    logs.setup("tts", settings.log_level)
    try:
        with (
            closing(load(settings.engine, settings)) as engine,
            ThreadPoolExecutor(settings.concurrency, "tts") as executor,
        ):
            casting = Casting(engine, settings.avatars_dir, watermark=settings.watermark)
            casting.warm_up()
            servicer = TtsServicer(casting, executor)
            worker = Worker(casting, executor, ahead_ms=settings.ahead_ms)
            service = Service(
                name="tts",
                grpc_name="parley.v1.Tts",
                engine=engine.name,
                model=engine.model,
                add_to=partial(tts_pb2_grpc.add_TtsServicer_to_server, servicer),
                stage=Stage.TTS,
                handle=worker.handle,
            )
            asyncio.run(run(service, settings))
    except ParleyError as error:
        sys.exit(f"tts: {error}")


if __name__ == "__main__":
    main()
