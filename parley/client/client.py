"""One person at the public websocket: speaks, plays, reports playback, records what comes and when."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from parley.client.microphone import Microphone
from parley.client.player import Player
from parley.engines import Picture
from parley.errors import ServiceUnavailable
from parley.media.clock import BYTES_PER_SAMPLE
from parley.media.framing import Flags, Kind, MediaMessage
from parley.media.video import VideoDecoder

REPORT_EVERY_S = 0.2
Event = dict[str, Any]


@dataclass(slots=True)
class ReplyRecord:
    """What came of one reply.

    Attributes:
        generation: The reply.
        audio: Its messages, in order of arrival.
        video: Its frames, in order of arrival.
        video_at: Monotonic times of their arrival.
        first_audio_at: Monotonic time of arrival; None: none came.
        first_video_at: The same for the first frame.
        latency_ms: The server's own account of the turn, by stage.
    """

    generation: int
    audio: list[MediaMessage] = field(default_factory=list)
    video: list[MediaMessage] = field(default_factory=list)
    video_at: list[float] = field(default_factory=list)
    first_audio_at: float | None = None
    first_video_at: float | None = None
    latency_ms: dict[str, float] = field(default_factory=dict)
    item_id: str = ""
    text: str = ""
    status: str = ""

    @property
    def pcm(self) -> bytes:
        """The reply's speech, s16le 24 kHz mono."""
        return b"".join(m.payload for m in self.audio)

    def pictures(self, codec: str) -> list[tuple[int, Picture]]:
        """The reply's frames decoded: (pts in samples, RGB uint8 [height, width, 3])."""
        decoder = VideoDecoder(codec)
        return [(m.pts_samples, picture) for m in self.video for picture in decoder.decode(m.payload)]


class TalkClient:
    """A connected client; use `TalkClient.open` as an async context manager.

    Attributes:
        events: Every JSON event that came, as (monotonic time, event).
        replies: By generation.
        stale_messages: Media that came for a generation already flushed; must stay 0.
        idle: The idle loop's frames.
        session: `session` of the last `session.created`/`session.updated`.
    """

    def __init__(self, socket: ClientConnection, *, chunk_ms: int = 40) -> None:
        self._socket = socket
        self.player = Player()
        self.microphone = Microphone(self._send_audio, chunk_ms)
        self.events: list[tuple[float, Event]] = []
        self.replies: dict[int, ReplyRecord] = {}
        self.flushed_at: dict[int, float] = {}
        self.paused_at: list[float] = []
        self.stale_messages = 0
        self.idle: list[MediaMessage] = []
        self.session: dict[str, Any] = {}
        self.closed = asyncio.Event()
        self._news = asyncio.Condition()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls,
        url: str,
        avatar: str,
        *,
        key: str = "",
        video: str = "h264",
        listen: bool = True,
        chunk_ms: int = 40,
        resume: str = "",
    ) -> AsyncIterator["TalkClient"]:
        """Connects, asks for the face, and waits for the session to be ready.

        Args:
            url: `http://HOST:PORT` of the gateway.
            avatar: Name of the avatar.
            key: API key, if the gateway wants one.
            video: "h264", "vp8", "jpeg" or "none".
            listen: Whether to keep the microphone open (silence streams while nothing is said).
            chunk_ms: Length of a microphone message.
            resume: Session id to go on with.

        Raises:
            ServiceUnavailable: Nobody answers there, or the gateway refuses; the message says why.
        """
        address = f"{url.replace('http', 'ws', 1).rstrip('/')}/v1/realtime?model={avatar}"
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if resume:
            address += f"&session={resume}"
        try:
            socket = await connect(
                address, additional_headers=headers, compression=None, max_size=1 << 22, open_timeout=10
            )
        except InvalidStatus as error:
            why = refusal(bytes(error.response.body or b""))
            raise ServiceUnavailable(f"{url} refused ({error.response.status_code}): {why}") from error
        except (OSError, TimeoutError) as error:
            raise ServiceUnavailable(
                f"Nobody answers at {url}: {error}.", fix="Start it: parley up"
            ) from error
        client = cls(socket, chunk_ms=chunk_ms)
        tasks = [asyncio.create_task(client._receive()), asyncio.create_task(client._report())]
        try:
            await client.send(
                {
                    "type": "session.update",
                    "session": {"type": "realtime", "avatar": {"video": video, "media": "binary"}},
                }
            )
            await client.wait_event(lambda e: e["type"] == "session.updated", timeout_s=20)
            if listen:
                client.microphone.switch_on()
                tasks.append(asyncio.create_task(client.microphone.run()))
            yield client
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await socket.close()

    async def send(self, event: Event) -> None:
        """Sends one JSON event."""
        await self._socket.send(orjson.dumps(event).decode())

    async def _send_audio(self, pcm: bytes, number: int) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(MediaMessage(Kind.PCM16, 0, number, 0, pcm).pack())

    async def wait_event(
        self, matches: Callable[[Event], bool], *, timeout_s: float, since: float = 0.0
    ) -> Event:
        """The first event after `since` (monotonic) that matches; waits for it.

        Raises:
            TimeoutError: None came in time.
            ServiceUnavailable: The connection ended.
        """
        return (await self.wait_timed_event(matches, timeout_s=timeout_s, since=since))[1]

    async def wait_timed_event(
        self, matches: Callable[[Event], bool], *, timeout_s: float, since: float = 0.0
    ) -> tuple[float, Event]:
        """As `wait_event`, with the event's time of arrival."""
        position = 0
        async with asyncio.timeout(timeout_s), self._news:
            while True:
                while position < len(self.events):
                    at, event = self.events[position]
                    position += 1
                    if at >= since and matches(event):
                        return at, event
                if self.closed.is_set():
                    raise ServiceUnavailable("The gateway closed the connection.")
                await self._news.wait()

    async def wait_until(self, condition: Callable[[], bool], *, timeout_s: float) -> None:
        """Waits until `condition` holds; it is looked at whenever something arrives."""
        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(lambda: condition() or self.closed.is_set())

    async def wait_played(self, generation: int, *, timeout_s: float) -> None:
        """Waits until the reply has arrived and been played to its end."""
        await self.wait_until(
            lambda: (
                self.player.generation > generation
                or (self.player.generation == generation and self.player.complete)
            ),
            timeout_s=timeout_s,
        )
        while self.player.generation == generation and self.player.playing(time.monotonic()):
            await asyncio.sleep(0.02)

    def reply(self, generation: int) -> ReplyRecord:
        """The record of one reply; made when first asked for."""
        return self.replies.setdefault(generation, ReplyRecord(generation))

    async def _receive(self) -> None:
        try:
            async for message in self._socket:
                now = time.monotonic()
                if isinstance(message, bytes):
                    self._on_media(MediaMessage.unpack(message), now)
                else:
                    self._on_event(orjson.loads(message), now)
                async with self._news:
                    self._news.notify_all()
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()
            async with self._news:
                self._news.notify_all()

    def _on_media(self, message: MediaMessage, now: float) -> None:
        if message.kind is Kind.IDLE_LOOP:
            self.idle.append(message)
            return
        if message.generation < max(self.flushed_at, default=0):
            self.stale_messages += 1
            return
        record = self.reply(message.generation)
        if message.kind is Kind.VIDEO:
            record.first_video_at = record.first_video_at or now
            record.video.append(message)
            record.video_at.append(now)
            return
        record.first_audio_at = record.first_audio_at or now
        record.audio.append(message)
        self.player.receive(
            message.generation,
            message.pts_samples,
            len(message.payload) // BYTES_PER_SAMPLE,
            last=Flags.END_OF_REPLY in message.flags,
            now=now,
        )

    def _on_event(self, event: Event, now: float) -> None:
        self.events.append((now, event))
        match event["type"]:
            case "session.created" | "session.updated":
                self.session = event["session"]
            case "avatar.reply.started":
                self.reply(event["generation"]).item_id = event["item_id"]
            case "avatar.latency":
                self.reply(event["generation"]).latency_ms = event["ms"]
            case "avatar.pause":
                self.paused_at.append(now)
                self.player.pause(now)
            case "avatar.resume":
                self.player.resume(now)
            case "avatar.flush":
                self.flushed_at[event["generation"]] = now
                self.player.flush(event["generation"], now)
            case "response.output_audio_transcript.done":
                for record in self.replies.values():
                    if record.item_id == event["item_id"]:
                        record.text = event["transcript"]

    async def _report(self) -> None:
        reported = (0, -1)
        while not self.closed.is_set():
            await asyncio.sleep(REPORT_EVERY_S)
            now = time.monotonic()
            position = (self.player.generation, self.player.played(now))
            if position[0] and position != reported:
                reported = position
                with contextlib.suppress(ConnectionClosed):
                    await self.send(
                        {"type": "avatar.playback", "generation": position[0], "played_samples": position[1]}
                    )


def refusal(body: bytes) -> str:
    """Why a request was refused: the message of the API's error, or whatever else a proxy sent."""
    try:
        return str(orjson.loads(body)["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body.decode("utf-8", "replace")
