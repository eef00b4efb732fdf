"""One festival process that is kept alive and talked to over pipes."""

import os
import select
import shutil
import subprocess
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parley.engines import Audio
from parley.errors import EngineUnavailable, ParleyError

PRELUDE = Path(__file__).with_name("festival.scm")
START_S = 15.0
ANSWER_S = 5.0
ANSWER_S_PER_CHAR = 0.05  # twice what spelling takes on a machine with other work
STOP_S = 2.0
# Festival takes 300 MB for its default heap; a clause needs a fraction of this one (58 MB in all).
HEAP_CELLS = "1000000"
_MAX_LINE_BYTES = 4096


class ProcessDied(ParleyError):
    """Festival ended, hung or answered nonsense. A new process may well do better."""

    code = "engine_died"


class Refused(ParleyError):
    """Festival lives, but could not do what was asked."""

    code = "synthesis_failed"


@dataclass(frozen=True, slots=True)
class Utterance:
    """What festival made of a text: float32 [n] at `rate_hz`, and (phone, end in seconds) in order."""

    audio: Audio
    rate_hz: int
    segments: Sequence[tuple[str, float]]


class FestivalProcess:
    """A child process; not for several threads at once.

    Raises:
        EngineUnavailable: Festival is not installed.
        ProcessDied: It did not come up.
    """

    def __init__(self) -> None:
        program = shutil.which("festival")
        if program is None:
            raise EngineUnavailable(
                "The program festival is not installed.", fix="apt install festival festvox-us-slt-hts"
            )
        answers, their_end = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    program,
                    "--heap",
                    HEAP_CELLS,
                    "-b",
                    f'(defvar parley_out "/proc/self/fd/{their_end}")',
                    str(PRELUDE),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[their_end],
                bufsize=0,
            )
        except BaseException:
            os.close(answers)
            raise
        finally:
            os.close(their_end)
        self._answers = answers
        self._buffer = bytearray()
        # Also runs when this object is forgotten and when the interpreter exits: never an orphan or a zombie.
        self._end = weakref.finalize(self, _end, self._process, answers)
        self._known: set[tuple[str, str]] = set()
        try:
            kind, *voices = self._line(time.monotonic() + START_S).split()
        except BaseException:
            self.close()
            raise
        if kind != "ready":
            self.close()
            raise ProcessDied(f"Festival began with {kind!r}.")
        self.voices: tuple[str, ...] = tuple(voices)

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def close(self) -> None:
        """Ends the child and waits for it; safe to call twice."""
        self._end()

    def define(self, voice: str, word: str, phones: Sequence[str]) -> None:
        """Teaches `voice` how `word` is said; once is enough.

        Args:
            voice: One of `voices`.
            word: Lower-case letters only.
            phones: Symbols of the radio phone set, vowels with a stress digit.
        """
        if (voice, word) not in self._known:
            self._ask(f'(word {voice} "{word}" ({" ".join(phones)}))')
            self._known.add((voice, word))

    def say(self, voice: str, text: str, *, speed: float) -> Utterance:
        """Synthesises `text`, which must hold letters, digits, spaces, apostrophes and ,.?!;: only.

        Raises:
            ProcessDied: No answer in time, or not one that makes sense; `close` it.
            Refused: Festival reported an error.
        """
        return self._ask(f'(say {voice} {speed:.3f} "{text}")')

    def _ask(self, request: str) -> Utterance:
        deadline = time.monotonic() + ANSWER_S + ANSWER_S_PER_CHAR * len(request)
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(request.encode("ascii") + b"\n")
        except OSError as error:
            raise ProcessDied(f"Festival does not listen any more: {error.strerror}.") from error
        answer = self._line(deadline).split()
        if answer == ["error"]:
            raise Refused("Festival could not speak this text.")
        try:
            kind, samples, rate_hz = answer[0], int(answer[1]), int(answer[2])
            segments: list[tuple[str, float]] = []
            while (line := self._line(deadline)) != ".":
                symbol, end_s = line.split()
                segments.append((symbol, float(end_s)))
        except (ValueError, IndexError) as error:
            raise ProcessDied(f"Festival answered {' '.join(answer)!r}.") from error
        if kind != "ok" or samples < 0:
            raise ProcessDied(f"Festival answered {' '.join(answer)!r}.")
        pcm = np.frombuffer(self._exactly(2 * samples, deadline), "=i2")
        return Utterance(pcm.astype(np.float32) * np.float32(2**-15), rate_hz, segments)

    def _line(self, deadline: float) -> str:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > _MAX_LINE_BYTES:
                raise ProcessDied("Festival's answer has no end.")
            self._read_more(deadline)
        line = self._buffer[:end].decode("ascii", "replace")
        del self._buffer[: end + 1]
        return line

    def _exactly(self, size: int, deadline: float) -> bytes:
        while len(self._buffer) < size:
            self._read_more(deadline)
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def _read_more(self, deadline: float) -> None:
        poll = select.poll()  # not select.select: that cannot watch descriptors above 1023
        poll.register(self._answers, select.POLLIN)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise ProcessDied("Festival did not answer in time.")
        data = os.read(self._answers, 1 << 16)
        if not data:
            raise ProcessDied("Festival has ended.")
        self._buffer += data


def _end(process: subprocess.Popen[bytes], answers: int) -> None:
    """Closes the pipes, by which festival ends; kills it if it does not."""
    if process.stdin is not None:
        process.stdin.close()
    os.close(answers)
    try:
        process.wait(STOP_S / 4)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_S)
