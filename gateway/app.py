"""Puts the gateway together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from gateway import errors
from gateway.auth import Authorizer
from gateway.config import GatewaySettings
from gateway.http import avatars, chat, client_secrets, memory, operations, page, speech, transcriptions
from gateway.http.access import Access
from gateway.http.middleware import Guard
from gateway.memory.ratings import RatingStore
from gateway.memory.store import FactStore
from gateway.realtime import route
from gateway.realtime.registry import Registry
from gateway.services import Services


def create_app(
    settings: GatewaySettings,
    services: Services,
    registry: Registry,
    converse: route.Converse,
    *,
    static: Path = page.STATIC,
) -> FastAPI:
    """The application.

    Args:
        settings: See `GatewaySettings`.
        services: Closed when the application ends.
        registry: The conversations.
        converse: Makes conversations.
        static: Folder with the built page.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
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
    app.include_router(avatars.router(settings.avatars_dir, access))
    app.include_router(transcriptions.router(settings, services, access))
    app.include_router(speech.router(settings, services, access))
    app.include_router(memory.router(facts, ratings, access))
    app.include_router(chat.router(settings, services, access))
    app.include_router(page.router(static))
    return app
