"""Whatever happens, in whatever order: the promises of docs/turn-taking.md."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parley.conversation.interface import TurnDetection
from parley.media.clock import ms_to_samples
from parley.turns import commands as do
from parley.turns import inputs as on
from parley.turns.machine import Limits, TurnMachine

TEXTS = st.sampled_from(
    ["", "um", "mm-hm", "stop", "what is your name", "tell me about the", "yes", "the", "no wait"]
)
DETECTIONS = st.builds(
    TurnDetection, enabled=st.sampled_from([True, True, True, False]), interrupt=st.booleans()
)


class AnyOrder(RuleBasedStateMachine):
    """Inputs in any order, as a mad front, lying ears and a capricious network would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.detection = TurnDetection()
        self.machine = TurnMachine(self.detection, can_pause=True)
        self.now = 100.0
        self.samples = 0
        self.asked: list[int] = []
        self.reply: int | None = None  # the live one
        self.withheld = False
        self.paused = False
        self.newest = 0
        self.voided = 0
        self.open: set[int] = set()
        self.unanswered: set[int] = set()
        self.ended: set[int] = set()
        self.pause_began: float | None = None

    # ---- what may happen -------------------------------------------------------------------------------

    @rule(enabled=DETECTIONS, can_pause=st.booleans())
    def configure(self, enabled: TurnDetection, can_pause: bool) -> None:
        self._feed(on.ClearInput())
        self.detection = enabled
        self.machine.configure(enabled, can_pause=can_pause)

    @rule(ms=st.sampled_from([20, 40, 100, 250]), times=st.integers(1, 8))
    def hear(self, ms: int, times: int) -> None:
        for _ in range(times):
            self.samples += ms_to_samples(ms)
            self.now += ms / 1000
            self._feed(on.Heard(self.samples))
            self._tick()

    @rule()
    def speech_starts(self) -> None:
        self._feed(on.SpeechStarted(max(self.samples - 2000, 0)))

    @rule()
    def speech_stops(self) -> None:
        self._feed(on.SpeechStopped(max(self.samples - 2400, 0)))

    @rule(ms=st.sampled_from([32, 64, 160, 400, 1000]))
    def pause_grows(self, ms: int) -> None:
        self.samples += ms_to_samples(ms)
        self.now += ms / 1000
        self._feed(on.Heard(self.samples), on.PauseHeard(self.samples))
        self._tick()

    @rule(text=TEXTS)
    def partial(self, text: str) -> None:
        self._feed(on.PartialHeard(text, 0))

    @precondition(lambda self: self.asked)
    @rule(text=TEXTS, newest=st.booleans(), error=st.sampled_from(["", "", "", "engine failed"]))
    def final(self, text: str, newest: bool, error: str) -> None:
        number = self.asked.pop(-1 if newest else 0)
        self._feed(on.FinalHeard(number, text, error))

    @rule(number=st.integers(0, 50), text=TEXTS)
    def final_of_nothing(self, number: int, text: str) -> None:
        if number not in self.asked:
            self._feed(on.FinalHeard(number + 10_000, text))

    @rule(event=st.sampled_from([on.EarsLost(), on.CommitByHand(), on.ClearInput(), on.Interrupt()]))
    def front_acts(self, event: on.Input) -> None:
        self._feed(event)

    @rule(verbatim=st.sampled_from(["", "Hello."]))
    def respond(self, verbatim: str) -> None:
        self._feed(on.Respond(verbatim=verbatim))

    @precondition(lambda self: self.reply is not None and not self.withheld)
    @rule(over=st.booleans())
    def reply_goes_on(self, over: bool) -> None:
        assert self.reply is not None
        generation = self.reply
        self._feed(on.ReplySounds(generation))
        if over:
            self.reply = None
            self._feed(on.ReplyOver(generation))

    @rule(generation=st.integers(1, 100))
    def stale_reply_reports(self, generation: int) -> None:
        if generation != self.reply:
            self._feed(on.ReplySounds(generation), on.ReplyOver(generation))

    @rule(seconds=st.sampled_from([0.1, 1.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.machine.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            before = self.machine.deadline()
            self._feed(on.Tick())
            assert self.machine.deadline() != before, "a tick that is due must change something"
        self.now = end

    # ---- what must hold --------------------------------------------------------------------------------

    @invariant()
    def nobody_is_kept_waiting(self) -> None:
        due = self.machine.deadline()
        longest = max(self.detection.max_pause_ms / 1000, Limits().final_timeout_s)
        assert due is None or due <= self.now + longest

    @invariant()
    def a_paused_reply_will_be_resumed_or_flushed(self) -> None:
        assert not self.paused or self.machine.deadline() is not None

    def teardown(self) -> None:
        """Silence for long enough settles everything."""
        self._feed(on.SpeechStopped(self.samples))
        for _ in range(4):
            self.time_passes(6.0)
        assert not self.paused
        if self.detection.enabled:
            assert self.open <= self.ended
        assert not self.unanswered
        assert self.machine.deadline() is None

    # ---- the front's view ------------------------------------------------------------------------------

    def _tick(self) -> None:
        if (due := self.machine.deadline()) is not None and due <= self.now:
            self._feed(on.Tick())

    def _feed(self, *events: on.Input) -> None:
        for event in events:
            for command in self.machine.receive(event, self.now):
                self._check(command)

    def _check(self, command: do.Command) -> None:
        match command:
            case do.Finalize(number):
                assert number not in self.asked
                self.asked.append(number)
            case do.OpenTurn(turn, _):
                assert turn not in self.open | self.ended
                self.open.add(turn)
            case do.EndTurn(turn, _):
                assert turn not in self.ended | self.unanswered
                self.unanswered.add(turn)
            case do.Transcribe(turn, _, _):
                self.unanswered.remove(turn)  # each ended turn is transcribed once
                self._end(turn)
            case do.DropTurn(turn):
                assert turn not in self.unanswered
                self._end(turn)
            case do.StartReply(generation, _, speculative, _, _):
                assert self.reply is None, "two live generations"
                assert generation > self.newest and generation >= self.voided
                self.reply = self.newest = generation
                self.withheld = speculative
            case do.ReleaseReply(generation):
                assert (generation, self.withheld) == (self.reply, True)
                self.withheld = False
            case do.Flush(generation, announced):
                assert self.reply is not None and generation > self.reply and generation > self.voided
                assert announced is not self.withheld, "told of what was never announced, or not told"
                self.voided, self.reply, self.paused = generation, None, False
            case do.PauseOutput(generation):
                assert (generation, self.withheld, self.paused) == (self.reply, False, False)
                self.paused = True
            case do.ResumeOutput(generation):
                assert self.paused
                assert generation == self.reply or self.reply is None  # it may have ended meanwhile
                self.paused = False
            case _:
                pass

    def _end(self, turn: int) -> None:
        assert turn not in self.ended, "a turn ends once"
        self.ended.add(turn)


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase
