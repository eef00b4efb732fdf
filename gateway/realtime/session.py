"""One websocket and its conversation: reads, obeys, tells, sends; and tidies up however it ends."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway import metrics
from gateway.auth import subprotocol
from gateway.config import GatewaySettings
from gateway.memory.ratings import RatingStore
from gateway.memory.store import FactStore
from gateway.realtime.commands import Commands, complaint
from gateway.realtime.dialect import Dialect, error_event, event, text_message
from gateway.realtime.items import Items
from gateway.realtime.messages import MAX_MESSAGE_BYTES, EventError
from gateway.realtime.outbox import Lane, Message, Outbox, SlowClient
from gateway.realtime.parsing import parse
from gateway.realtime.session_config import Face, SessionState
from gateway.realtime.vault import Parked
from gateway.services import IdleLoop, Services
from parley.avatars import Avatar
from parley.conversation import events as happened
from parley.conversation.interface import Conversation
from parley.errors import ParleyError
from parley.media.clock import FPS, FRAME_SAMPLES, samples_to_ms
from parley.media.framing import Flags, Kind, MediaMessage
from parley.media.video import WEB_CODECS
from parley.telemetry.logs import bind

log = logging.getLogger(__name__)

FLOOD_ERRORS = 50
FLOOD_S = 10.0
CLOSE_S = 2.0
END_CONVERSATION_S = 5.0
SETTLE_S = 1.0


class _Closing(Exception):
    """The server ends the connection."""

    def __init__(self, code: int, reason: str, label: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.label = label


class RealtimeSession:
    """Runs one websocket over a conversation that has been started.

    Attributes:
        session: The id that clients see; the conversation can be resumed by it.
        over: Set once nothing of it is left.
    """

    def __init__(
        self,
        websocket: WebSocket,
        conversation: Conversation,
        services: Services,
        settings: GatewaySettings,
        avatar: Avatar,
        *,
        session: str,
        state: SessionState,
        items: Items,
        visits: int,
        memory: FactStore | None = None,
        ratings: RatingStore | None = None,
    ) -> None:
        self.session = session
        self.avatar_name = avatar.name
        self.over = asyncio.Event()
        self._websocket = websocket
        self._conversation = conversation
        self._services = services
        self._settings = settings
        self._avatar = avatar
        self._initial_state = state
        self._items = items
        self._visits = visits
        self._memory = memory
        self._ratings = ratings
        self._outbox = Outbox(
            slow_client_s=settings.slow_client_s, video_deadline_s=settings.video_deadline_s
        )
        self._dialect = Dialect(session.replace("sess", "conv", 1), self._state, self._input_ms, items)
        self._commands: Commands | None = None
        self._end: asyncio.Future[_Closing] = asyncio.get_running_loop().create_future()
        self._errors: deque[float] = deque(maxlen=FLOOD_ERRORS + 1)
        self._idle_sent = ""
        self._ended = False
        self._describing = asyncio.Lock()
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._resting = asyncio.Event()
        self._resting.set()

    def close(self, code: int, reason: str) -> None:
        """Ends it soon, with that websocket close code."""
        if not self._end.done():
            self._end.set_result(_Closing(code, reason, "superseded" if code == 1000 else "going_away"))

    async def rest(self) -> None:
        """Waits until nobody speaks."""
        await self._resting.wait()

    async def run(self, *, notice: ParleyError | None = None) -> Parked:
        """Accepts the websocket and runs until either side ends it.

        Args:
            notice: Something the client must be told at the start.

        Returns:
            What is left of the conversation, to resume it.
        """
        with bind(session=self.session):
            log.info("A conversation opened.", extra={"avatar": self._avatar.name, "visits": self._visits})
            try:
                await self._websocket.accept(subprotocol=subprotocol(self._websocket))
                await self._run(notice)
            except* _Closing as group:
                await self._say_goodbye(group)
            finally:
                if self._commands is not None:
                    self._commands.close()
                await self._end_conversation()
                log.info("A conversation closed.")
        for item in self._items:
            if item.status == "in_progress" or (item.kind == "message" and not item.text):
                self._items.remove(item.id)  # nobody will finish these
        return Parked(self.session, self._avatar.name, self._state(), self._items, self._visits)

    async def _run(self, notice: ParleyError | None) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._commands = Commands(
                self._conversation,
                self._dialect,
                self._services,
                self._avatar,
                state=self._initial_state,
                send=self._tell,
                tasks=tasks,
                show_session=lambda face: self._show_session(tasks, face),
                memory=self._memory,
                ratings=self._ratings,
            )
            self._tell(event("session.created", session=self._shown_session()))
            if notice is not None:
                self._tell(complaint(notice))
            await self._commands.meet()
            self._replay_history()
            tasks.create_task(self._guard(self._send))
            tasks.create_task(self._await_end())
            following = tasks.create_task(self._guard(self._follow))
            await self._read(self._commands)
            await self._settle()
            await self._end_conversation()
            await asyncio.wait([following], timeout=SETTLE_S)  # what was heard may still come
            raise _Closing(1000, "", "client")  # cancels all that is left

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        """Turns the failures that end a connection into a close code."""
        try:
            await work()
        except SlowClient as error:
            raise _Closing(1008, str(error), "slow_client") from error
        except ParleyError as error:
            log.error("The conversation broke.", exc_info=error)
            raise _Closing(1011, str(error)[:120], "conversation_failed") from error

    # ---- what comes in ---------------------------------------------------------------------------------

    async def _read(self, commands: Commands) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            try:
                await self._take(commands, message)
            except ParleyError as error:
                self._complain(error)

    async def _take(self, commands: Commands, message: Any) -> None:
        data = message.get("bytes")
        if data is None:
            wanted = parse(message["text"])
            try:
                await commands.obey(wanted)
            except ParleyError as error:
                self._complain(error, wanted.event_id)
            return
        if len(data) > MAX_MESSAGE_BYTES:
            raise EventError("message_too_large", f"At most {MAX_MESSAGE_BYTES} bytes are taken.")
        media = MediaMessage.unpack(data)
        if media.kind is not Kind.PCM16:
            raise EventError("invalid_value", "Only audio of kind 1 (pcm16) is taken.", param="kind")
        if len(media.payload) % 2:
            raise EventError("invalid_value", "The payload ends in half a sample.", param="payload")
        await commands.hear_numbered(media.seq, media.payload)

    def _complain(self, error: ParleyError, event_id: str | None = None) -> None:
        """Tells the client, and closes when there is too much to complain about."""
        metrics.EVENT_ERRORS.labels(error.code).inc()
        self._tell(complaint(error, event_id))
        now = time.monotonic()
        self._errors.append(now)
        if len(self._errors) > FLOOD_ERRORS and now - self._errors[0] < FLOOD_S:
            raise _Closing(1008, "Too many malformed messages.", "flooding")

    # ---- what goes out ---------------------------------------------------------------------------------

    def _tell(self, content: dict[str, Any]) -> None:
        self._outbox.put(Lane.TEXT, text_message(content))

    async def _follow(self) -> None:
        """Turns what happens into messages, until the conversation is closed."""
        async for what in self._conversation.events():
            match what:
                case happened.Flushed(generation):
                    self._outbox.void_below(generation)
                    self._began()
                case happened.TurnLatency(generation, ms):
                    self._observe(generation, ms)
                case happened.ReplyStarted():
                    self._quiet.clear()
                    self._began()
                case happened.ActivityChanged(activity):
                    resting = activity is happened.Activity.LISTENING
                    self._resting.set() if resting else self._resting.clear()
                case happened.Problem(code, message):
                    self._began()
                    log.warning("The conversation has a problem.", extra={"code": code, "problem": message})
            for lane, out in self._dialect.translate(what):
                self._outbox.put(lane, out)
            if isinstance(what, happened.UserTranscript) and self._commands is not None:
                await self._commands.said(what.text)
            if isinstance(what, happened.ReplyDone):
                self._quiet.set()
                ended = {"turn": what.response_id, "generation": what.generation, "status": what.status.value}
                log.info("A reply ended.", extra=ended)
                if self._commands is not None:
                    await self._commands.reply_over()

    def _began(self) -> None:
        if self._commands is not None:
            self._commands.starting = False

    def _observe(self, generation: int, ms: dict[str, float]) -> None:
        for stage, value in ms.items():
            metrics.TURN_LATENCY.labels(stage).observe(value / 1000)
        log.info("A turn was answered.", extra={"generation": generation, "latency_ms": ms})

    async def _send(self) -> None:
        async def send(data: str | bytes) -> None:
            # A client that has gone is noticed by the reader; what it was to get goes nowhere.
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                if isinstance(data, str):
                    await self._websocket.send_text(data)
                else:
                    await self._websocket.send_bytes(data)

        await self._outbox.run(send)

    # ---- the session, as the client is told ------------------------------------------------------------

    def _state(self) -> SessionState:
        return self._commands.state if self._commands else self._initial_state

    def _input_ms(self) -> int:
        return round(samples_to_ms(self._commands.heard_samples)) if self._commands else 0

    def _shown_session(self) -> dict[str, Any]:
        return self._state().shown(self.session, self._avatar)

    def _show_session(self, tasks: asyncio.TaskGroup, face: Face | None) -> None:
        """Answers `session.update`; the idle loop is fetched aside, so that listening goes on."""
        if self._state().face is None:
            self._tell(event("session.updated", session=self._shown_session()))
        else:
            tasks.create_task(self._show_face(resend=face is not None))

    async def _show_face(self, *, resend: bool) -> None:
        async with self._describing:
            state = self._state()
            codec = state.codec
            idle: IdleLoop | None = None
            if codec:
                try:
                    idle = await self._services.idle(self._avatar.name, codec)
                except ParleyError as error:
                    self._tell(error_event("server_error", error.code, str(error)))
            shown = {
                "name": self._avatar.name,
                "title": self._avatar.title,
                "width": idle.width if idle else None,
                "height": idle.height if idle else None,
                "fps": FPS,
                "codec": WEB_CODECS.get(codec),
                "video": codec or "none",
                "media": "binary" if state.binary else "json",
                "idle": {"frames": len(idle.frames), "duration_ms": idle.duration_ms} if idle else None,
                "engines": await self._services.engines(),
                "ratings": self._ratings is not None,
            }
            self._tell(event("session.updated", session={**self._shown_session(), "avatar": shown}))
            if idle and resend and codec != self._idle_sent:
                self._idle_sent = codec
                self._send_idle(idle)

    def _send_idle(self, idle: IdleLoop) -> None:
        for number, frame in enumerate(idle.frames):
            flags = Flags.KEYFRAME if frame.keyframe else Flags.NONE
            if number == len(idle.frames) - 1:
                flags |= Flags.END_OF_REPLY
            media = MediaMessage(Kind.IDLE_LOOP, 0, number + 1, number * FRAME_SAMPLES, frame.data, flags)
            self._outbox.put(Lane.BULK, Message(media.pack()))

    def _replay_history(self) -> None:
        previous: str | None = None
        for item in self._items:
            for what in ("added", "done"):
                self._tell(event(f"conversation.item.{what}", previous_item_id=previous, item=item.shown()))
            previous = item.id

    # ---- the end ---------------------------------------------------------------------------------------

    async def _await_end(self) -> None:
        raise await self._end

    async def _settle(self) -> None:
        """After the client has gone: stops the reply that runs, so that history keeps what was heard."""
        with contextlib.suppress(TimeoutError, ParleyError):
            async with asyncio.timeout(SETTLE_S):
                await self._conversation.interrupt()
                await self._quiet.wait()

    async def _say_goodbye(self, group: BaseExceptionGroup[_Closing]) -> None:
        closing = next(error for error in _leaves(group) if isinstance(error, _Closing))
        if closing.label == "client":
            return
        metrics.CLOSED.labels(closing.label).inc()
        log.info("The server closes a connection.", extra={"code": closing.code, "reason": closing.reason})
        with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(CLOSE_S):
                await self._websocket.close(closing.code, closing.reason)

    async def _end_conversation(self) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            async with asyncio.timeout(END_CONVERSATION_S):
                await self._conversation.close()
        except (TimeoutError, ParleyError) as error:
            log.warning("The conversation did not close cleanly.", exc_info=error)


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
