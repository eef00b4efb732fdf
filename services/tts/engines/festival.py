"""Festival (University of Edinburgh), with the HTS voice `slt` and the diphone voice `kal`."""

import logging
import queue
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from parley.engines import SpeechChunk, TimedPhone
from parley.errors import EngineUnavailable, ServiceUnavailable
from parley.media.audio import resample
from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.engines.festival_process import FestivalProcess, ProcessDied, Refused, Utterance
from services.tts.engines.phones import to_cmudict
from services.tts.engines.spoken import Token, tokens

log = logging.getLogger(__name__)

WAIT_S = 10.0
_ATTEMPTS = 2
_PACKAGES = "apt install festvox-us-slt-hts festvox-kallpc16k"
_STRESS_LETTERS = str.maketrans("012", "oiu")


class FestivalEngine:
    """A pool of resident festival processes; each speaks one clause at a time.

    A process that dies or hangs is replaced, and the clause is tried once more on the new one.

    Args:
        pool: Number of processes.

    Raises:
        EngineUnavailable: Festival, or every voice that this engine knows, is not installed.
    """

    name = "festival"
    has_phones = True

    def __init__(self, pool: int = 2) -> None:
        self._idle: queue.LifoQueue[FestivalProcess | None] = queue.LifoQueue()
        self._closed = False
        with ThreadPoolExecutor(pool, "festival-start") as starters:
            processes = [future.result() for future in [starters.submit(_start) for _ in range(pool)]]
        self._voices = processes[0].voices
        for process in processes:
            self._idle.put(process)
        self._size = pool
        if not self._voices:
            self.close()
            raise EngineUnavailable("Festival has no voice.", fix="apt install festvox-us-slt-hts")
        self.model = f"festival: {', '.join(self._voices)}"

    def voices(self) -> Sequence[str]:
        """`slt` and `kal`, as far as installed."""
        return self._voices

    def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
        """Speech of one clause as one chunk; nothing when there is no word in it.

        Raises:
            EngineUnavailable: The voice is not installed.
            ServiceUnavailable: Festival died twice on this clause, or all processes stayed busy.
        """
        if voice not in self._voices:
            raise EngineUnavailable(
                f"Festival has no voice {voice!r} here.",
                fix=f"Choose one of {', '.join(self._voices)}, or {_PACKAGES}.",
            )
        words = tokens(clause)
        if words:
            yield _chunk(self._say(voice, words, speed))

    def close(self) -> None:
        """Ends the processes; those that are speaking end when they have finished."""
        self._closed = True
        while True:
            try:
                process = self._idle.get_nowait()
            except queue.Empty:
                return
            if process is not None:
                process.close()

    def _say(self, voice: str, words: Sequence[Token], speed: float) -> Utterance:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._process() as process:
                    for token in words:
                        if token.phones:
                            process.define(voice, _made_up(token.phones), token.phones)
                    text = " ".join((t.word or _made_up(t.phones)) + t.mark for t in words)
                    return process.say(voice, text, speed=speed)
            except ProcessDied as error:
                log.warning("festival died", extra={"reason": str(error), "attempt": attempt})
        raise ServiceUnavailable("Festival keeps dying on this text.", fix="See the log of the tts service.")

    @contextmanager
    def _process(self) -> Iterator[FestivalProcess]:
        """Lends a process; puts None back for one that died, so that the next user starts another."""
        started = time.monotonic()
        try:
            process = self._idle.get(timeout=WAIT_S)
        except queue.Empty:
            raise ServiceUnavailable(
                f"All {self._size} festival processes are busy.", fix="Raise PARLEY_TTS_POOL."
            ) from None
        if (waited := time.monotonic() - started) > 0.05:
            log.debug("waited for festival", extra={"seconds": round(waited, 3)})
        alive: FestivalProcess | None = process
        try:
            if process is None:
                process = alive = _start()
            yield process
        except Refused:
            raise
        except BaseException:  # whatever else happened, its pipes may hold half an answer
            if process is not None:
                process.close()
            alive = None
            raise
        finally:
            if self._closed and alive is not None:
                alive.close()
            else:
                self._idle.put(alive)


def _start() -> FestivalProcess:
    """A process that has spoken: the first words of each take 100 ms longer than all later ones."""
    process = FestivalProcess()
    try:
        for voice in process.voices[:1]:
            process.say(voice, "Ready.", speed=1.0)
    except BaseException:
        process.close()
        raise
    return process


def _made_up(phones: Sequence[str]) -> str:
    """A word that no lexicon has, the same for the same phones: festival looks its pronunciation up by it."""
    return "zq" + "q".join(phone.translate(_STRESS_LETTERS) for phone in phones)


def _chunk(utterance: Utterance) -> SpeechChunk:
    audio = resample(utterance.audio, utterance.rate_hz, SAMPLE_RATE_HZ)
    ends = [
        TimedPhone(to_cmudict(symbol), min(round(end_s * SAMPLE_RATE_HZ), len(audio)))
        for symbol, end_s in utterance.segments
    ]
    return SpeechChunk(audio, ends)
