"""A play for the machine: a scripted person, ears like the real ones, and a clock that nobody waits for."""

from collections.abc import Sequence
from typing import TypeVar

from parley.conversation.interface import TurnDetection
from parley.media.clock import ms_to_samples
from parley.turns import commands as do
from parley.turns import inputs as on
from parley.turns.machine import TurnMachine

STEP_MS = 32
ONSET_MS = 64
OFFSET_MS = 96
C = TypeVar("C", bound=do.Command)


class Stage:
    """Plays speech and silence to a machine in steps of 32 ms and keeps the commands with their times."""

    def __init__(
        self,
        detection: TurnDetection | None = None,
        *,
        can_pause: bool = True,
        final_ms: float = 64,
        deaf: bool = False,
    ) -> None:
        self.machine = TurnMachine(detection or TurnDetection(), can_pause=can_pause)
        self.log: list[tuple[float, do.Command]] = []
        self.now_ms = 0.0  # wall time; equals audio time except in `stall`
        self.audio_ms = 0.0
        self.final_ms = final_ms
        self.deaf = deaf
        self.said = ""
        self.confidence = 0.9
        self._finals: list[tuple[float, int, str]] = []
        self._loud_ms = self._quiet_ms = 0.0
        self._speaking = False

    # ---- what the person does --------------------------------------------------------------------------

    def speak(self, ms: float, text: str = "", *, partials: bool = True) -> None:
        """Speech; its words are understood evenly spread over it."""
        words = text.split()
        steps = max(round(ms / STEP_MS), 1)
        before = self.said
        for step in range(steps):
            known = words[: (step + 1) * len(words) // steps]
            fresh = " ".join([before, *known]).strip()
            if fresh != self.said:
                self.said = fresh
                if partials and self._speaking:
                    self.feed(on.PartialHeard(fresh, len(before)))
            self._step(loud=True)

    def silence(self, ms: float) -> None:
        for _ in range(round(ms / STEP_MS)):
            self._step(loud=False)

    def stall(self, ms: float) -> None:
        """No audio arrives; only wall time passes."""
        end = self.now_ms + ms
        while self.now_ms < end:
            due = self.machine.deadline()
            times = [end, *(at for at, _, _ in self._finals)]
            if due is not None:
                times.append(max(due * 1000, self.now_ms))
            self.now_ms = min(times)
            self._answer_finals()
            self._tick()

    def feed(self, *events: on.Input) -> None:
        for event in events:
            for command in self.machine.receive(event, self.now_ms / 1000):
                self.log.append((self.now_ms, command))
                if isinstance(command, do.Finalize) and not self.deaf:
                    self._finals.append((self.now_ms + self.final_ms, command.id, self.said))
                if isinstance(command, do.ResetEars):
                    self.said = ""

    # ---- what came of it -------------------------------------------------------------------------------

    def all(self, kind: type[C]) -> list[C]:
        return [command for _, command in self.log if isinstance(command, kind)]

    def at(self, kind: type[C]) -> float:
        """When the last command of that kind was given, in ms."""
        return [time for time, command in self.log if isinstance(command, kind)][-1]

    def kinds(self, *but: type[do.Command]) -> Sequence[str]:
        """Names of the commands, those left out that tests rarely care about."""
        boring = (do.ShowActivity, do.ShowPartial, do.Finalize, do.ResetEars, *but)
        return [type(command).__name__ for _, command in self.log if not isinstance(command, boring)]

    def forget(self) -> None:
        self.log.clear()

    def answer(self) -> int:
        """A whole simple turn, whose reply now sounds; returns its generation."""
        self.speak(1000, "what is your name")
        self.silence(700)
        generation = self.all(do.StartReply)[-1].generation
        self.feed(on.ReplySounds(generation))
        self.forget()
        return generation

    # ---- ears ------------------------------------------------------------------------------------------

    def _step(self, *, loud: bool) -> None:
        self.now_ms += STEP_MS
        self.audio_ms += STEP_MS
        self.feed(on.Heard(self._samples()))
        if not self.machine._detection.enabled:
            self._answer_finals()
            self._tick()
            return
        self._loud_ms, self._quiet_ms = (
            (self._loud_ms + STEP_MS, 0) if loud else (0, self._quiet_ms + STEP_MS)
        )
        if not self._speaking and self._loud_ms >= ONSET_MS:
            self._speaking = True
            self.feed(on.SpeechStarted(self._samples(-self._loud_ms)))
            if self.said:
                self.feed(on.PartialHeard(self.said, 0))
        elif self._speaking and self._quiet_ms >= OFFSET_MS:
            self._speaking = False
            self.feed(on.SpeechStopped(self._samples(-self._quiet_ms)))
        elif not self._speaking:
            self.feed(on.PauseHeard(self._samples()))
        self._answer_finals()
        self._tick()

    def _answer_finals(self) -> None:
        due = [final for final in self._finals if final[0] <= self.now_ms]
        self._finals = [final for final in self._finals if final[0] > self.now_ms]
        for _, number, text in due:
            self.feed(on.FinalHeard(number, text, confidence=self.confidence))

    def _tick(self) -> None:
        due = self.machine.deadline()
        if due is not None and due * 1000 <= self.now_ms:
            self.feed(on.Tick())

    def _samples(self, offset_ms: float = 0) -> int:
        return ms_to_samples(self.audio_ms + offset_ms)
