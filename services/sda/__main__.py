"""Starts the sda service: `python -m services.sda`."""

import asyncio
import sys

from parley.avatars import list_avatars
from parley.chain.interface import Stage
from parley.errors import ParleyError
from parley.service import Service, run
from proto.parley.v1 import sda_pb2_grpc
from services.sda.config import SdaSettings
from services.sda.drawing import Studio
from services.sda.engines import Faces
from services.sda.servicer import SdaServicer
from services.sda.worker import Worker

WARMED = 4  # avatars whose first frame must not wait for a disk


async def _serve() -> None:
    settings = SdaSettings()
    faces = Faces(settings)
    for avatar in list_avatars(settings.avatars_dir)[:WARMED]:
        faces.engine(avatar.name).open(avatar.name, seed=0)
    studio = Studio(faces, threads=settings.threads)
    servicer, worker = SdaServicer(studio), Worker(studio, ahead_ms=settings.ahead_ms)
    service = Service(
        name="sda",
        grpc_name="parley.v1.Sda",
        engine=faces.default.name,
        model=faces.default.model,
        add_to=lambda server: sda_pb2_grpc.add_SdaServicer_to_server(servicer, server),  # type: ignore[no-untyped-call]
        stage=Stage.SDA,
        handle=worker.handle,
    )
    try:
        await run(service, settings)
    finally:
        studio.close()


def main() -> None:
    """Runs until SIGTERM."""
    try:
        asyncio.run(_serve())
    except ParleyError as error:
        sys.exit(f"sda: {error}")


if __name__ == "__main__":
    main()
