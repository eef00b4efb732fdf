"""The turn-taking state machine: `receive` an input at a time, get the commands that follow from it.

Two things are tracked: the person's turn (none, speaking, pausing) and the avatar's reply (none, withheld
while it is only a guess that the turn is over, live, paused while someone may be interrupting). Endpointing
runs on audio time, so a fast, slow or stuttering network changes nothing; wall time only bounds the waits.
docs/turn-taking.md has the picture.
"""

from dataclasses import dataclass
from typing import assert_never

from parley.conversation.events import Activity
from parley.conversation.interface import TurnDetection
from parley.media.clock import samples_to_ms
from parley.turns import commands as do
from parley.turns import inputs as on
from parley.turns.completeness import completeness, pause_ms
from parley.turns.words import is_backchannel, is_command, wants_the_floor, words


@dataclass(frozen=True, slots=True)
class Limits:
    """Times that no front needs to change.

    Attributes:
        speculate_pause_ms: A pause this long has the transcript made, and perhaps the reply begun.
        speculate_lead_ms: A reply is begun at most this long before the pause that would end the turn.
        confirm_ms: Speech over a paused reply counts as an interruption from here on, whatever is said.
            It holds the silence that the ears need to notice an end, so that a 300 ms "mm-hm" stays below.
        confirm_unpaused_ms: The same where the front cannot pause and the avatar is still talking.
        backchannel_ms: The same while all that was understood is a backchannel.
        sure_confidence: Below this, what was understood of a short sound is taken for an accident, unless it
            is a word like "stop".
        final_timeout_s: Ears that do not answer a Finalize for so long have failed.
        overdue_ms: Ears that lag so far behind the microphone, beyond the longest pause, have failed too.
    """

    speculate_pause_ms: float = 160
    speculate_lead_ms: float = 500
    confirm_ms: float = 500
    confirm_unpaused_ms: float = 200
    backchannel_ms: float = 1000
    sure_confidence: float = 0.4
    final_timeout_s: float = 5.0
    overdue_ms: float = 3000


@dataclass(slots=True)
class _Turn:
    """The person's turn. `tentative`: the avatar has the floor, this may be a mere "mm-hm"."""

    number: int
    started_at: int
    tentative: bool
    burst_from: int
    earlier_bursts: int = 0
    speaking: bool = True
    stopped_at: int = 0
    silent_until: int = 0
    out_of_time: bool = False
    partial: str = ""
    stable_chars: int = 0
    asked: int = 0
    asked_at: float = 0.0
    final: on.FinalHeard | None = None

    @property
    def paused_ms(self) -> float:
        return samples_to_ms(self.silent_until - self.stopped_at)


@dataclass(slots=True)
class _Reply:
    generation: int
    withheld: bool
    sounding: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True)
class _Closing:
    """A turn that was ended by hand and waits for its transcript."""

    number: int
    asked: int
    give_up_at: float


class TurnMachine:
    """Decides who has the floor. Holds no clock and does no I/O."""

    def __init__(
        self, detection: TurnDetection, *, can_pause: bool, language: str = "en", limits: Limits | None = None
    ) -> None:
        self._limits = limits or Limits()
        self._detection = detection
        self._can_pause = can_pause
        self._language = language
        self._turn: _Turn | None = None
        self._reply: _Reply | None = None
        self._closing: list[_Closing] = []
        self._requested: on.Respond | None = None  # waits for a transcript that is being made
        self._patient: on.Respond | None = None  # waits for the end of the reply that runs
        self._owed = False  # a turn was heard out under a reply that may not be interrupted
        self._turns = self._finalizes = 0
        self._generation = 1  # the next reply's
        self._heard = self._fresh_from = 0
        self._heard_at = 0.0
        self._activity = Activity.LISTENING
        self._out: list[do.Command] = []

    @property
    def fresh_samples(self) -> int:
        """Microphone audio that belongs to no turn that has ended."""
        return self._heard - self._fresh_from

    @property
    def next_generation(self) -> int:
        """Every reply so far has a smaller number."""
        return self._generation

    def configure(self, detection: TurnDetection, *, can_pause: bool, language: str = "en") -> None:
        """Changes how turns are found from here on; `ClearInput` first where `enabled` changes."""
        self._detection, self._can_pause, self._language = detection, can_pause, language

    def deadline(self) -> float | None:
        """When a Tick is due, on the clock of `receive`'s `now`; None: nothing is waited for."""
        times = [closing.give_up_at for closing in self._closing]
        if (turn := self._turn) and self._detection.enabled:
            if not turn.out_of_time:
                waited = 0.0 if turn.speaking else turn.paused_ms
                times.append(self._heard_at + max(self._detection.max_pause_ms - waited, 0) / 1000)
            if turn.asked and turn.final is None:
                times.append(turn.asked_at + self._limits.final_timeout_s)
        return min(times, default=None)

    def receive(self, event: on.Input, now: float) -> list[do.Command]:
        """What follows from `event`.

        Args:
            event: What happened.
            now: Seconds on any clock that only grows.
        """
        self._out = []
        match event:
            case on.Heard(samples):
                self._on_heard(samples, now)
            case on.SpeechStarted(at):
                self._on_speech_started(at)
            case on.SpeechStopped(at):
                self._on_speech_stopped(at)
            case on.PauseHeard(heard):
                self._on_pause(heard, now)
            case on.PartialHeard(text, stable):
                self._on_partial(text, stable)
            case on.FinalHeard():
                self._on_final(event)
            case on.EarsLost():
                self._on_ears_lost()
            case on.CommitByHand():
                self._on_commit(now)
            case on.ClearInput():
                self._drop()
            case on.Respond():
                self._on_respond(event)
            case on.Interrupt():
                self._requested, self._owed = None, False
                self._take_the_floor()
            case on.ReplySounds(generation):
                if self._reply and self._reply.generation == generation:
                    self._reply.sounding = True
            case on.ReplyOver(generation):
                self._on_reply_over(generation)
            case on.Tick():
                self._on_tick(now)
            case _:
                assert_never(event)
        return self._finish()

    # ---- the person ------------------------------------------------------------------------------------

    def _on_heard(self, samples: int, now: float) -> None:
        self._heard, self._heard_at = samples, now
        turn = self._turn
        if turn is None:
            if not self._detection.enabled:
                self._open(at=samples)
        elif not turn.speaking:
            late = samples_to_ms(samples - turn.silent_until)
            if self._detection.enabled and late > self._detection.max_pause_ms + self._limits.overdue_ms:
                self._run_out_of_time(turn, now)
        elif turn.tentative and self._spoken_ms(turn) >= self._confirm_ms(turn):
            self._take_the_floor()

    def _on_speech_started(self, at: int) -> None:
        if not self._detection.enabled:
            return
        turn = self._turn
        if turn is None:
            self._open(at)
        elif not turn.speaking:
            turn.speaking, turn.burst_from = True, self._heard
            turn.asked, turn.final, turn.out_of_time = 0, None, False
            self._withdraw()

    def _on_speech_stopped(self, at: int) -> None:
        turn = self._turn
        if turn is None or not turn.speaking or not self._detection.enabled:
            return
        turn.earlier_bursts += self._heard - turn.burst_from
        turn.speaking, turn.stopped_at, turn.silent_until = False, at, at

    def _on_pause(self, heard: int, now: float) -> None:
        turn = self._turn
        if turn is None or turn.speaking:
            return
        turn.silent_until = max(turn.silent_until, heard)
        if not turn.asked and turn.paused_ms >= self._limits.speculate_pause_ms:
            self._ask(turn, now)
        self._consider(turn)

    def _on_partial(self, text: str, stable_chars: int) -> None:
        turn = self._turn
        if turn is None:
            return
        turn.partial, turn.stable_chars = text, stable_chars
        if not turn.tentative:
            self._out.append(do.ShowPartial(turn.number, text, stable_chars))
        elif wants_the_floor(text):
            self._take_the_floor()

    def _on_final(self, final: on.FinalHeard) -> None:
        turn = self._turn
        if turn and turn.asked and final.id == turn.asked and not turn.speaking:
            turn.final = final
            if turn.tentative and self._interrupts(final):
                self._take_the_floor()
            if turn.tentative:
                self._drop()
            else:
                self._consider(turn)
        elif any(closing.asked == final.id for closing in self._closing):
            self._close(final)

    def _on_commit(self, now: float) -> None:
        self._take_the_floor()
        if self._turn is None:
            self._turns += 1
        number = self._turn.number if self._turn else self._turns
        self._turn = None
        self._finalizes += 1
        self._closing.append(_Closing(number, self._finalizes, now + self._limits.final_timeout_s))
        self._out += [do.EndTurn(number, self._heard), do.Finalize(self._finalizes), do.ResetEars()]
        self._fresh_from = self._heard

    def _on_ears_lost(self) -> None:
        self._drop()
        for closing in list(self._closing):
            self._close(on.FinalHeard(closing.asked, "", "The ears were lost."))

    def _on_tick(self, now: float) -> None:
        for closing in [closing for closing in self._closing if now >= closing.give_up_at]:
            self._close(on.FinalHeard(closing.asked, "", "The ears did not answer in time."))
        turn = self._turn
        if turn is None or not self._detection.enabled:
            return
        if turn.asked and turn.final is None and now >= turn.asked_at + self._limits.final_timeout_s:
            turn.out_of_time = True
            self._on_final(on.FinalHeard(turn.asked, "", "The ears did not answer in time."))
        elif not turn.out_of_time and (due := self.deadline()) is not None and now >= due:
            self._run_out_of_time(turn, now)

    # ---- endpointing -----------------------------------------------------------------------------------

    def _consider(self, turn: _Turn) -> None:
        """The pause has grown or the transcript has come: is the turn over, or likely to be soon?"""
        if turn.final is None:
            return
        detection, limits, text = self._detection, self._limits, turn.final.text
        needed = pause_ms(
            completeness(text, language=self._language),
            complete_ms=detection.complete_pause_ms,
            incomplete_ms=detection.incomplete_pause_ms,
            max_ms=detection.max_pause_ms,
        )
        if turn.paused_ms >= needed or turn.out_of_time or turn.final.error:
            self._endpoint(turn, turn.final)
        elif (
            turn.paused_ms >= needed - limits.speculate_lead_ms
            and detection.create_response
            and self._reply is None
            and not self._closing
            and words(text)
        ):
            self._start(heard=text, speculative=True)

    def _endpoint(self, turn: _Turn, final: on.FinalHeard) -> None:
        self._turn, self._fresh_from = None, self._heard
        if not final.error and not words(final.text):
            self._out += [do.DropTurn(turn.number), do.ResetEars()]
            return
        self._out.append(do.EndTurn(turn.number, turn.stopped_at))
        self._out.append(do.Transcribe(turn.number, final.text, final.error))
        self._out.append(do.ResetEars())
        if final.error or not self._detection.create_response:
            return
        if self._reply and self._reply.withheld:
            self._reply.withheld = False
            self._out.append(do.ReleaseReply(self._reply.generation))
        elif self._closing:
            self._requested = self._requested or on.Respond()
        elif self._reply and not self._detection.interrupt:
            self._owed = True
        else:
            self._take_the_floor()
            self._start()

    def _run_out_of_time(self, turn: _Turn, now: float) -> None:
        """Audio stopped arriving, or the ears stopped telling: the transcript as it is now ends the turn."""
        turn.out_of_time = True
        if turn.speaking:
            turn.speaking, turn.stopped_at, turn.silent_until = False, self._heard, self._heard
        if not turn.asked:
            self._ask(turn, now)
        self._consider(turn)

    def _ask(self, turn: _Turn, now: float) -> None:
        self._finalizes += 1
        turn.asked, turn.asked_at = self._finalizes, now
        self._out.append(do.Finalize(turn.asked))

    def _open(self, at: int) -> None:
        self._turns += 1
        listening = self._detection.enabled
        tentative = bool(self._reply and listening and self._detection.interrupt)
        self._turn = _Turn(self._turns, at, tentative, burst_from=self._heard)
        if not tentative:
            if listening:
                self._out.append(do.OpenTurn(self._turns, at))
        elif self._can_pause and self._reply and not self._reply.paused:
            self._reply.paused = True
            self._out.append(do.PauseOutput(self._reply.generation))

    def _drop(self) -> None:
        """What is being heard is no turn: forget it, and give the floor back to a reply that was paused."""
        turn, self._turn = self._turn, None
        self._fresh_from = self._heard
        self._withdraw()
        if self._reply and self._reply.paused:
            self._reply.paused = False
            self._out.append(do.ResumeOutput(self._reply.generation))
        if turn and not turn.tentative and (self._detection.enabled or turn.partial):
            self._out.append(do.DropTurn(turn.number))
        self._out.append(do.ResetEars())

    def _close(self, final: on.FinalHeard) -> None:
        """The transcript of a turn that was ended by hand."""
        closing = next(c for c in self._closing if c.asked == final.id)
        self._closing.remove(closing)
        self._out.append(do.Transcribe(closing.number, final.text, final.error))
        if self._requested and not self._closing:
            request, self._requested = self._requested, None
            if words(final.text) or request.verbatim:
                self._on_respond(request)
            else:
                self._out.append(do.NothingToAnswer(final.error))

    # ---- the reply -------------------------------------------------------------------------------------

    def _on_respond(self, request: on.Respond) -> None:
        self._owed = False
        if request.patient and self._reply and not self._reply.withheld:
            self._patient = request
            return
        self._take_the_floor()
        if self._closing and not request.verbatim:
            self._requested = request
        else:
            self._start(instructions=request.instructions, verbatim=request.verbatim)

    def _on_reply_over(self, generation: int) -> None:
        if self._reply is None or self._reply.generation != generation:
            return
        if self._reply.paused:
            self._out.append(do.ResumeOutput(generation))
        self._reply = None
        self._acknowledge()
        if self._patient and not self._owed and not self._turn:
            request, self._patient = self._patient, None
            self._start(instructions=request.instructions)
        self._forget_patient()
        if self._owed:
            self._owed = False
            self._start()

    def _start(
        self, *, heard: str = "", speculative: bool = False, instructions: str = "", verbatim: str = ""
    ) -> None:
        self._reply = _Reply(self._generation, speculative)
        self._out.append(do.StartReply(self._generation, heard, speculative, instructions, verbatim))
        self._generation += 1

    def _withdraw(self) -> None:
        """Gives up a speculative reply; the front never knew of it."""
        if self._reply and self._reply.withheld:
            self._reply = None
            self._out.append(do.Flush(self._generation, announced=False))

    def _take_the_floor(self) -> None:
        """Stops the reply, if there is one; a tentative turn becomes a real one."""
        self._withdraw()
        self._forget_patient()
        if self._reply:
            self._reply = None
            self._out.append(do.Flush(self._generation, announced=True))
        self._acknowledge()

    def _forget_patient(self) -> None:
        if self._patient:
            self._patient = None
            self._out.append(do.Overtaken())

    def _acknowledge(self) -> None:
        if (turn := self._turn) and turn.tentative:
            turn.tentative = False
            self._out.append(do.OpenTurn(turn.number, turn.started_at))
            if turn.partial:
                self._out.append(do.ShowPartial(turn.number, turn.partial, turn.stable_chars))

    # ---- small things ----------------------------------------------------------------------------------

    def _spoken_ms(self, turn: _Turn) -> float:
        return samples_to_ms(turn.earlier_bursts + self._heard - turn.burst_from)

    def _interrupts(self, final: on.FinalHeard) -> bool:
        """Whether a short stretch of speech, over already, was meant to interrupt."""
        unsure = 0 < final.confidence < self._limits.sure_confidence
        return wants_the_floor(final.text) and (not unsure or is_command(final.text))

    def _confirm_ms(self, turn: _Turn) -> float:
        limits = self._limits
        if is_backchannel(turn.partial):
            return limits.backchannel_ms
        return limits.confirm_ms if self._reply and self._reply.paused else limits.confirm_unpaused_ms

    def _finish(self) -> list[do.Command]:
        turn, reply = self._turn, self._reply
        # Pushed to talk, a microphone may well stay open under the reply: then the reply is what is going on.
        hears = turn and not turn.tentative and (self._detection.enabled or not (reply or self._closing))
        if hears or (reply and reply.paused):
            activity = Activity.HEARING
        elif reply and not reply.withheld:
            activity = Activity.SPEAKING if reply.sounding else Activity.THINKING
        else:
            activity = Activity.THINKING if self._closing else Activity.LISTENING
        if activity is not self._activity:
            self._activity = activity
            self._out.append(do.ShowActivity(activity))
        return self._out
