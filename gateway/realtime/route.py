"""`/v1/realtime`: admits or refuses before the websocket opens, then runs the session."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from gateway import errors, metrics
from gateway.auth import Authorizer, Grant
from gateway.config import GatewaySettings
from gateway.errors import Refused
from gateway.memory.ratings import RatingStore
from gateway.memory.store import FactStore
from gateway.realtime.items import Items, remember
from gateway.realtime.registry import Registry
from gateway.realtime.session import RealtimeSession
from gateway.realtime.session_config import SessionState, SessionUpdate
from gateway.realtime.vault import Parked
from gateway.services import Services
from parley.avatars import Avatar, load_avatar
from parley.conversation.interface import Conversation, ConversationConfig
from parley.errors import ParleyError, ServiceUnavailable

log = logging.getLogger(__name__)

START_S = 8.0
Converse = Callable[[Avatar, str, ConversationConfig], Awaitable[Conversation]]


@dataclass(frozen=True, slots=True)
class Realtime:
    """What the route needs.

    Attributes:
        converse: Makes a conversation that is not started yet: avatar, chain session, configuration.
    """

    settings: GatewaySettings
    authorizer: Authorizer
    registry: Registry
    services: Services
    converse: Converse
    memory: FactStore | None = None
    ratings: RatingStore | None = None

    def admit(self, connection: HTTPConnection) -> tuple[Avatar, Grant]:
        """Checks site, key and avatar.

        Raises:
            Refused: 400, 401, 403.
            UnknownAvatar: 404.
        """
        grant = self.authorizer.check(connection)
        name = connection.query_params.get("model") or grant.session.get("model")
        if not name:
            raise Refused(
                400, "missing_required_parameter", "Which avatar?", fix="Connect with ?model={avatar}."
            )
        return load_avatar(self.settings.avatars_dir, str(name)), grant

    async def serve(self, websocket: WebSocket) -> None:
        """Runs one websocket from its request to its end."""
        with ExitStack() as stack:
            try:
                session, notice = await self._open(websocket, stack)
            except ParleyError as error:
                metrics.REFUSED.labels(error.code).inc()
                log.info("A connection was refused.", extra={"code": error.code})
                await websocket.send_denial_response(errors.response(error))
                return
            with self.registry.holding(session):
                self.registry.park(await session.run(notice=notice))

    async def _open(
        self, websocket: WebSocket, stack: ExitStack
    ) -> tuple[RealtimeSession, ParleyError | None]:
        avatar, grant = self.admit(websocket)
        wanted = websocket.query_params.get("session")
        parked = await self.registry.resume(wanted, avatar.name) if wanted else None
        try:
            stack.enter_context(self.registry.place())
            start = parked or _fresh(avatar, grant)
            conversation = await self._start(avatar, start)
        except BaseException:
            if parked is not None:  # refused for now: the conversation can still be resumed
                self.registry.park(parked)
            raise
        session = RealtimeSession(
            websocket,
            conversation,
            self.services,
            self.settings,
            avatar,
            session=start.session,
            state=start.state,
            items=start.items,
            visits=start.visits + 1,
            memory=self.memory,
            ratings=self.ratings,
        )
        if wanted and parked is None:
            return session, Refused(
                404, "session_expired", "That conversation is gone; this is a new one with the same avatar."
            )
        return session, None

    async def _start(self, avatar: Avatar, start: Parked) -> Conversation:
        config = start.state.conversation_config()
        conversation = await self.converse(avatar, f"{start.session}.{start.visits + 1}", config)
        try:
            async with asyncio.timeout(START_S):
                await conversation.start()
                for item in start.items:
                    await remember(conversation, item)
        except BaseException as error:
            async with asyncio.timeout(START_S):
                await conversation.close()
            if isinstance(error, TimeoutError):
                raise ServiceUnavailable(f"The conversation did not start within {START_S:.0f} s.") from error
            raise
        return conversation


def _fresh(avatar: Avatar, grant: Grant) -> Parked:
    state = SessionState()
    if grant.session:
        state = state.merged(SessionUpdate.model_validate(grant.session))
    return Parked(f"sess_{secrets.token_hex(16)}", avatar.name, state, Items(), visits=0)


def router(realtime: Realtime) -> APIRouter:
    """The websocket, and what a plain GET of the same address answers."""
    routes = APIRouter()

    @routes.websocket("/v1/realtime")
    async def serve(websocket: WebSocket) -> None:
        await realtime.serve(websocket)

    @routes.get("/v1/realtime")
    async def explain(request: Request) -> Response:
        """Says why a websocket would be refused now: browsers hide that from their pages."""
        realtime.admit(request)
        realtime.registry.check_room()
        raise Refused(426, "upgrade_required", "Connect to this address with a websocket.")

    return routes
