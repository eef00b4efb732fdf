"""Puts the gateway together."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from gateway import errors
from gateway.auth import Authorizer
from gateway.config import GatewaySettings
from gateway.http import (
    avatars,
    chat,
    client_secrets,
    enrolment,
    jobs,
    memory,
    operations,
    page,
    speech,
    transcriptions,
)
from gateway.http.access import Access
from gateway.http.middleware import Guard
from gateway.memory.ratings import RatingStore
from gateway.memory.store import FactStore
from gateway.realtime import route
from gateway.realtime.registry import Registry
from gateway.services import Services
from parley.jobs.board import Board
from parley.jobs.keys import KEEP_S
from parley.jobs.spool import Spool

log = logging.getLogger(__name__)

SWEEP_S = 60.0


def create_app(
    settings: GatewaySettings,
    services: Services,
    registry: Registry,
    converse: route.Converse,
    board: Board,
    *,
    static: Path = page.STATIC,
) -> FastAPI:
    """The application.

    Args:
        settings: See `GatewaySettings`.
        services: Closed when the application ends.
        registry: The conversations.
        converse: Makes conversations.
        board: Where avatars to be made are posted; closed when the application ends.
        static: Folder with the built page.
    """

    spool = Spool(settings.spool_dir)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(spool))
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
            await board.close()
            await services.close()

    app = FastAPI(title="Parley", lifespan=lifespan, docs_url=None, redoc_url=None)
    errors.install(app)
    app.add_middleware(Guard)
    if settings.allowed_origins():
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(settings.allowed_origins()),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type", "parley-person"],
        )
    authorizer = Authorizer(settings)
    access = Access(authorizer)
    facts = FactStore(Path(settings.memory)) if settings.memory else None
    ratings = RatingStore(Path(settings.memory)) if settings.memory else None
    realtime = route.Realtime(settings, authorizer, registry, services, converse, facts, ratings)
    app.include_router(operations.router(services, registry, access))
    app.include_router(route.router(realtime))
    app.include_router(client_secrets.router(settings, authorizer, access))
    app.include_router(avatars.router(settings.avatars_dir, board, access))
    app.include_router(enrolment.router(settings.avatars_dir, board, spool, registry, services, access))
    app.include_router(jobs.router(board, spool, registry, access))
    app.include_router(transcriptions.router(settings, services, access))
    app.include_router(speech.router(settings, services, access))
    app.include_router(memory.router(facts, ratings, access))
    app.include_router(chat.router(settings, services, access))
    app.include_router(page.router(static))
    return app


async def _sweep(spool: Spool) -> None:
    """Deletes what people sent for jobs that were forgotten."""
    while True:
        try:
            if left := await asyncio.to_thread(spool.sweep, KEEP_S):
                log.info("Uploads of forgotten jobs were deleted.", extra={"jobs": left})
        except OSError as error:
            log.warning("The spool cannot be swept.", extra={"reason": str(error)})
        await asyncio.sleep(SWEEP_S)
