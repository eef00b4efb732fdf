"""A real server on a free port, over a scripted conversation and in-process services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from gateway.app import create_app
from gateway.config import GatewaySettings
from gateway.realtime.registry import Registry
from gateway.realtime.vault import Vault
from gateway.server import Server, listen
from gateway.services import Services
from parley.avatars import Avatar
from parley.conversation.interface import Conversation, ConversationConfig
from parley.errors import ParleyError
from parley.media.framing import MediaMessage
from tests.unit.gateway.fakes import FakeBoard, FakeServices, ScriptedConversation
from tests.unit.gateway.sdk_models import check_against_sdk

MANIFEST = (
    "title: {title}\ndescription: One line.\ngreeting: Good day.\nvoice: {{engine: fake, voice: slt}}\n"
)
FACE = {"type": "session.update", "session": {"type": "realtime", "avatar": {"video": "h264"}}}
SAY = {
    "type": "conversation.item.create",
    "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Who are you?"}]},
}


@pytest.fixture
def avatars_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "avatars"
    for name in ("ben", "mira"):
        (folder / name / "face").mkdir(parents=True)
        (folder / name / "avatar.yaml").write_text(MANIFEST.format(title=name.title()))
    (folder / "mira" / "face" / "portrait.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture
async def backend() -> AsyncIterator[FakeServices]:
    fake = FakeServices()
    await fake.server.start()
    yield fake
    await fake.server.stop(0)


class Running:
    """The server under test."""

    def __init__(self, settings: GatewaySettings, static: Path, vault: Vault | None = None) -> None:
        self.settings = settings
        self.conversations: list[ScriptedConversation] = []
        self.fail_start: ParleyError | None = None
        self.registry = Registry(max_sessions=settings.max_sessions, resume_s=settings.resume_s, vault=vault)
        self.board = FakeBoard()
        app = create_app(settings, Services(settings), self.registry, self._make, self.board, static=static)
        self.server = Server(app, settings, self.registry)
        self._listener = listen(settings)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.task = asyncio.create_task(self.server.serve(sockets=[self._listener]))

    async def _make(self, avatar: Avatar, session: str, config: ConversationConfig) -> Conversation:
        conversation = ScriptedConversation(avatar, session, config)
        conversation.fail_start = self.fail_start
        self.conversations.append(conversation)
        return conversation

    @property
    def conversation(self) -> ScriptedConversation:
        return self.conversations[-1]

    async def started(self) -> None:
        async with asyncio.timeout(5):
            while not self.server.started:
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        self.server.should_exit = True
        await self.task
        self._listener.close()

    def connect(self, query: str = "model=mira", **options: Any) -> connect:
        address = f"ws://127.0.0.1:{self.port}/v1/realtime?{query}"
        return connect(address, compression=None, max_size=None, **options)


class Client:
    """A websocket client that keeps what came."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.media: list[MediaMessage] = []
        self.order: list[str] = []

    async def send(self, event: dict[str, Any]) -> None:
        await self.socket.send(orjson.dumps(event).decode())

    async def next(self) -> dict[str, Any] | MediaMessage:
        async with asyncio.timeout(5):
            message = await self.socket.recv()
        if isinstance(message, bytes):
            media = MediaMessage.unpack(message)
            self.media.append(media)
            self.order.append(f"<{media.kind.name}>")
            return media
        event: dict[str, Any] = orjson.loads(message)
        self.events.append(event)
        self.order.append(event["type"])
        return event

    async def until(self, kind: str) -> dict[str, Any]:
        """Reads on until an event of that type."""
        while True:
            got = await self.next()
            if isinstance(got, dict) and got["type"] == kind:
                return got

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["type"] == kind]

    async def ask(self, event: dict[str, Any], answer: str) -> dict[str, Any]:
        await self.send(event)
        return await self.until(answer)


@pytest.fixture
async def launch(avatars_dir: Path, backend: FakeServices, tmp_path: Path) -> AsyncIterator[Any]:
    """Starts servers with the settings given."""
    running: list[Running] = []

    async def start(vault: Vault | None = None, **settings: Any) -> Running:
        urls = {f"{name}_url": backend.address for name in ("asr", "tts", "llm", "sda")}
        values: dict[str, Any] = {
            "avatars_dir": avatars_dir,
            "spool_dir": tmp_path / "spool",
            "port": 0,
            "redis_url": "redis://127.0.0.1:1/0",
            **urls,
            **settings,
        }
        one = Running(GatewaySettings(**values), tmp_path / "static", vault)
        running.append(one)
        await one.started()
        return one

    yield start
    for one in running:
        await one.stop()


@pytest.fixture
async def gateway(launch: Any) -> Running:
    one: Running = await launch()
    return one


@pytest.fixture
async def client(gateway: Running) -> AsyncIterator[Client]:
    async with gateway.connect() as socket:
        one = Client(socket)
        await one.until("session.created")
        yield one


@contextlib.asynccontextmanager
async def connected(gateway: Running, query: str = "model=mira", **options: Any) -> AsyncIterator[Client]:
    async with gateway.connect(query, **options) as socket:
        one = Client(socket)
        await one.until("session.created")
        yield one


@pytest.fixture
def sdk_models(client: Client) -> Iterator[None]:
    """At the end, the SDK's models take every event that the client was sent."""
    yield
    for event in client.events:
        if not event["type"].startswith("avatar."):
            check_against_sdk(event)
