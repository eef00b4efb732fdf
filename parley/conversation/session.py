"""A conversation: the turn-taking machine with ears, chain, history and playback around it.

Everything that happens (audio arriving, ears and chain reporting, the front asking, time passing) is fed to
the machine on the event loop, and its commands are carried out before anything else happens. The I/O itself
is done by two links that keep order and reconnect. While nothing happens, nothing runs.
"""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

from parley.avatars import Avatar
from parley.chain.interface import Chain, Entry
from parley.conversation import events as tell
from parley.conversation.chain_link import ChainLink
from parley.conversation.clocks import InputClock
from parley.conversation.ears_link import EarsLink
from parley.conversation.events import ConversationEvent, Problem
from parley.conversation.foresight import Foresight
from parley.conversation.history import History, HistoryItem
from parley.conversation.interface import ConversationConfig, Ears
from parley.conversation.replies import Replies
from parley.conversation.reply import Patience
from parley.errors import BadRequest, ParleyError
from parley.media.clock import BYTES_PER_SAMPLE, ms_to_samples, samples_to_ms
from parley.turns import commands as do
from parley.turns import inputs as on
from parley.turns.machine import Limits, TurnMachine
from proto.parley.v1 import asr_pb2, chain_pb2

log = logging.getLogger(__name__)

_SHORTEST_TURN_SAMPLES = ms_to_samples(100)
_ROLES = ("user", "assistant", "system")


@dataclass(frozen=True, slots=True)
class TalkSettings:
    """What an operator may tune.

    Attributes:
        limits: Turn-taking's times.
        patience: When a silent stage counts as failed.
        history_items: Messages remembered.
        history_characters: At most so much text goes to the model.
    """

    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)
    history_items: int = 400
    history_characters: int = 60_000


class Session:
    """See `parley.conversation.interface.Conversation`. `start`, read `events`, `close`; or `async with`."""

    def __init__(
        self,
        *,
        avatar: Avatar,
        chain: Chain,
        ears: Ears,
        config: ConversationConfig | None = None,
        session: str = "",
        history: Iterable[HistoryItem] = (),
        settings: TalkSettings | None = None,
    ) -> None:
        """Makes a conversation that is not started.

        Args:
            avatar: Who answers.
            chain: Where replies are made; started, and not closed by the conversation.
            ears: Who listens.
            config: How; may be changed later with `configure`.
            session: The chain's session; must not be in use. Empty: a new one.
            history: What was said in a conversation that goes on.
            settings: See `TalkSettings`.
        """
        settings = settings or TalkSettings()
        self.session = session or f"sess_{uuid.uuid4().hex[:20]}"
        self.avatar = avatar
        self.config = config or ConversationConfig()
        self._history = History(
            history, max_items=settings.history_items, max_characters=settings.history_characters
        )
        self._machine = TurnMachine(
            self.config.turn_detection,
            can_pause=self.config.can_pause,
            language=self._language(),
            limits=settings.limits,
        )
        self._chain = ChainLink(
            chain,
            self.session,
            on_entry=self._on_entry,
            on_lost=self._on_chain_lost,
            on_refused=self._on_refused,
        )
        self._ears = EarsLink(
            ears, self._listen_config(), on_event=self._on_ear_event, on_lost=self._on_ears_lost
        )
        self._replies = Replies(
            session=self.session,
            avatar=avatar,
            chain=self._chain,
            history=self._history,
            patience=settings.patience,
            on_sounds=lambda generation: self._feed(on.ReplySounds(generation)),
            on_over=lambda generation: self._feed(on.ReplyOver(generation)),
            on_front_stalled=self._on_front_stalled,
        )
        self._outbox = self._replies.outbox
        self._input = InputClock()
        self._foresight = Foresight()
        self._pending: deque[on.Input] = deque()
        self._feeding = False
        self._items: dict[int, str] = {}  # of turns that have not ended
        self._last_item = ""
        self._speech_ended_at: float | None = None
        self._marks: dict[str, float] = {}
        self._earlier = asyncio.Event()  # something is due before the time that the ticker sleeps until
        self._sleeps_until = float("inf")
        self._task: asyncio.Task[None] | None = None

    # ---- life ------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begins to listen.

        Raises:
            ChainUnavailable: The chain's carrier does not answer.
        """
        await self._chain.open()
        self._task = asyncio.create_task(self._run(), name=f"conversation {self.session}")

    async def close(self) -> None:
        """Stops everything and forgets the session's keys; `events` ends.

        Raises:
            ParleyError: The conversation had broken down by itself.
        """
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        try:
            await asyncio.gather(task, return_exceptions=True)
        finally:
            await self._chain.close()
        _raise_failure(task)

    async def __aenter__(self) -> "Session":
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._chain.run())
                tasks.create_task(self._ears.run())
                tasks.create_task(self._tick())
        finally:
            self._outbox.close()

    async def _tick(self) -> None:
        """Sleeps until something is due, forever if nothing is."""
        while True:
            due = self._due()
            self._sleeps_until = due
            self._earlier.clear()
            try:
                async with asyncio.timeout_at(due if due < float("inf") else None):
                    await self._earlier.wait()
            except TimeoutError:
                self._feed(on.Tick())
                self._replies.check(self._now())

    # ---- what the front asks ---------------------------------------------------------------------------

    @property
    def history(self) -> list[HistoryItem]:
        """What was said, and heard, so far."""
        return list(self._history)

    async def configure(self, config: ConversationConfig) -> None:
        """Changes the conversation from here on; a reply under way goes on as it was begun."""
        self.config = config
        if self._ears.configure(self._listen_config()):
            self._feed(on.ClearInput())
        self._machine.configure(config.turn_detection, can_pause=config.can_pause, language=self._language())

    async def hear(self, pcm: bytes) -> None:
        """More microphone audio, s16le mono 24 kHz.

        Raises:
            BadRequest: Not a whole number of samples.
        """
        if len(pcm) % BYTES_PER_SAMPLE:
            raise BadRequest("16 bit audio has an even number of bytes.", fix="Send whole samples.")
        self._input.heard(len(pcm) // BYTES_PER_SAMPLE, self._now())
        self._feed(on.Heard(self._input.samples))
        await self._ears.hear(pcm)

    async def commit(self) -> str:
        """Ends the person's turn by hand; it is answered when `respond` is called.

        Raises:
            BadRequest: Less than 100 ms were heard since the last turn.
        """
        if self._machine.fresh_samples < _SHORTEST_TURN_SAMPLES:
            raise BadRequest(
                "Nothing was heard since the last turn.",
                fix="Send at least 100 ms of audio first.",
                code="input_audio_buffer_commit_empty",
            )
        self._feed(on.CommitByHand())
        return self._last_item

    async def clear_input(self) -> None:
        """Forgets what was heard of the current turn."""
        self._feed(on.ClearInput())

    async def add_message(self, role: str, text: str, *, item_id: str | None = None) -> str:
        """Adds a text message to the history without answering it.

        Raises:
            BadRequest: An unknown role, or an id that is in use.
        """
        if role not in _ROLES:
            raise BadRequest(f"There is no role {role!r}.", fix=f"Choose one of: {', '.join(_ROLES)}.")
        item_id = self._free_item_id(item_id)
        self._history.add(item_id, role, text)
        self._speech_ended_at = None
        return item_id

    async def add_call(self, call: chain_pb2.ToolCall, *, item_id: str | None = None) -> str:
        """Adds a call that the avatar made in a conversation that goes on.

        Raises:
            BadRequest: An id that is in use.
        """
        item_id = self._free_item_id(item_id)
        self._history.add_call(item_id, call)
        return item_id

    async def add_result(self, call_id: str, output: str, *, item_id: str | None = None) -> str:
        """Adds what came of a call, without going on from it.

        Raises:
            BadRequest: There is no such call, it has its result, the talk has gone on without it, or the id
                is in use.
        """
        item_id = self._free_item_id(item_id)
        self._history.add_result(item_id, call_id, output)
        return item_id

    async def delete_item(self, item_id: str) -> None:
        """Forgets a message.

        Raises:
            BadRequest: There is no such item.
        """
        if not self._history.delete(item_id):
            raise BadRequest(f"There is no item {item_id!r}.", fix="Use an id that was announced.")

    async def respond(self, *, instructions: str = "", verbatim: str = "") -> None:
        """Answers the history as it stands (or says `verbatim`), interrupting a reply that runs.

        What goes on from the result of a call waits for that reply's end: "Let me look." is still being said.
        """
        patient = self._history.ends_in_result and not verbatim
        self._feed(on.Respond(instructions, verbatim, patient))

    async def interrupt(self) -> None:
        """Stops the reply that runs."""
        self._feed(on.Interrupt())

    async def played(self, generation: int, samples: int) -> None:
        """The front's playback position, media clock."""
        self._replies.played(generation, samples, self._now())
        self._watch_time()

    async def events(self) -> AsyncGenerator[ConversationEvent, None]:
        """All that happens, until `close`.

        Raises:
            ParleyError: The conversation broke down.
        """
        task = self._task
        while (event := await self._outbox.get()) is not None:
            self._replies.sent(event, self._now())
            self._watch_time()
            yield event
        if task is not None and task.done():
            _raise_failure(task)

    # ---- what ears and chain report --------------------------------------------------------------------

    def _on_ear_event(self, event: asr_pb2.ListenEvent, began_at: int) -> None:
        match event.WhichOneof("kind"):
            case "speech_started":
                self._feed(on.SpeechStarted(began_at + event.speech_started.at_samples))
            case "speech_stopped":
                at = began_at + event.speech_stopped.at_samples
                self._speech_ended_at = self._input.arrived_at(at)
                self._feed(on.SpeechStopped(at))
            case "pause":
                self._feed(on.PauseHeard(began_at + event.pause.heard_samples))
            case "partial":
                self._feed(on.PartialHeard(event.partial.text, event.partial.stable_chars))
            case "final":
                self._ears.answered(event.final.id)
                self._marks["asr_final"] = self._now()
                final = event.final
                self._feed(on.FinalHeard(final.id, final.text, final.error, final.confidence))
            case "ready":
                log.debug("ears ready", extra={"engine": event.ready.engine, "model": event.ready.model})

    def _on_ears_lost(self, error: ParleyError) -> None:
        self._outbox.put(Problem(error.code, str(error)))
        self._feed(on.EarsLost())

    def _on_entry(self, entry: Entry) -> None:
        self._replies.take(entry, self._now())
        self._watch_time()

    def _on_chain_lost(self, error: ParleyError) -> None:
        self._replies.fail(error.code, str(error))

    def _on_refused(self, generation: int, error: ParleyError) -> None:
        self._replies.fail(error.code, str(error), generation=generation)

    def _on_front_stalled(self) -> None:
        self._outbox.put(Problem("playback_stalled", "The reply was sent but is not being played."))
        self._feed(on.Interrupt())

    # ---- the machine -----------------------------------------------------------------------------------

    def _feed(self, event: on.Input) -> None:
        """Gives `event` to the machine and carries out what follows, one after the other."""
        self._pending.append(event)
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._pending:
                for command in self._machine.receive(self._pending.popleft(), self._now()):
                    self._do(command)
        finally:
            self._feeding = False
        self._watch_time()

    def _do(self, command: do.Command) -> None:
        now, put = self._now(), self._outbox.put
        match command:
            case do.Finalize(number):
                self._ears.finalize(number)
            case do.ResetEars():
                self._ears.reset()
            case do.OpenTurn(turn, at):
                put(tell.UserSpeechStarted(self._item(turn), _ms(at)))
            case do.ShowPartial(turn, text, stable):
                put(tell.UserPartial(self._item(turn), text, stable))
                if words := self._foresight.partial(turn, text, now):
                    self._replies.foresee(words, self.config)
            case do.EndTurn(turn, at):
                self._end_turn(turn, at)
            case do.Transcribe(turn, text, error):
                item = self._items.pop(turn)
                if text:
                    self._history.add(item, "user", text)
                put(tell.UserTranscript(item, text, error))
            case do.DropTurn(turn):
                self._speech_ended_at = None
                put(tell.UserTurnDropped(self._item(turn)))
                self._items.pop(turn)
            case do.StartReply():
                self._replies.start(command, self.config, now, self._speech_ended_at)
                if not command.speculative:
                    self._mark_turn()
            case do.ReleaseReply():
                self._mark_turn()
                self._replies.release(now)
            case do.Flush(generation, announced):
                self._replies.flush(generation, announced=announced, now=now)
            case do.PauseOutput(generation):
                self._replies.pause(generation, now)
            case do.ResumeOutput(generation):
                self._speech_ended_at = None
                self._replies.resume(generation, now)
            case do.NothingToAnswer(error):
                put(Problem("nothing_heard", error or "No words were heard in what was to be answered."))
            case do.Overtaken():
                put(
                    Problem(
                        "response_overtaken", "The conversation went on before that response could begin."
                    )
                )
            case do.ShowActivity(activity):
                put(tell.ActivityChanged(activity))

    def _end_turn(self, turn: int, at: int) -> None:
        item = self._last_item = self._item(turn)
        self._marks["endpoint"] = self._now()
        if self.config.turn_detection.enabled:
            self._outbox.put(tell.UserSpeechStopped(item, _ms(at)))
        else:
            self._speech_ended_at = self._input.arrived_at(at)
        self._outbox.put(tell.UserTurnCommitted(item))

    def _mark_turn(self) -> None:
        """Hands what is known of the turn's timing to the reply that answers it."""
        for stage, at in self._marks.items():
            self._replies.mark(stage, at)
        self._marks.clear()
        self._speech_ended_at = None

    # ---- small things ----------------------------------------------------------------------------------

    def _free_item_id(self, item_id: str | None) -> str:
        if item_id is not None and item_id in self._history:
            raise BadRequest(f"The item {item_id!r} exists already.", fix="Choose another id.")
        return item_id or _new_item_id()

    def _item(self, turn: int) -> str:
        return self._items.setdefault(turn, _new_item_id())

    def _due(self) -> float:
        times = (self._machine.deadline(), self._replies.deadline(self._now()))
        return min((time for time in times if time is not None), default=float("inf"))

    def _watch_time(self) -> None:
        if self._due() < self._sleeps_until:
            self._earlier.set()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _language(self) -> str:
        return self.config.language or self.avatar.language

    def _listen_config(self) -> asr_pb2.ListenConfig:
        detection = self.config.turn_detection
        return asr_pb2.ListenConfig(
            session=self.session,
            avatar=self.avatar.name,
            language=self._language(),
            hotwords=list(self.config.hotwords),
            vad=detection.enabled,
            vad_threshold=detection.threshold,
        )


def _new_item_id() -> str:
    return f"item_{uuid.uuid4().hex[:20]}"


def _ms(samples: int) -> int:
    return round(samples_to_ms(samples))


def _raise_failure(task: asyncio.Task[None]) -> None:
    """Raises what ended the conversation, the typed error itself where there is one."""
    error = None if task.cancelled() else task.exception()
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if error is not None:
        raise error
