"""The heavy half of listening: drives an engine's stream through a session's jobs.

Runs in a thread, one call at a time.
"""

import logging
import time
from bisect import bisect_right
from typing import Final

import numpy as np

from parley.engines import AsrStream, HeardWord, Hypothesis
from parley.errors import ParleyError
from proto.parley.v1 import asr_pb2 as pb
from proto.parley.v1 import chain_pb2
from services.asr.listener import Ask, Forget, Job, Speech, to_input_clock
from services.asr.resample import EAR_RATE_HZ

log = logging.getLogger(__name__)

PARTIAL_SAMPLES: Final = EAR_RATE_HZ * 192 // 1000


class Transcriber:
    """One session's transcripts."""

    def __init__(self, stream: AsrStream) -> None:
        self._stream = stream
        self._starts: list[tuple[int, int]] = []  # (position in the engine's audio, position in the input)
        self._given = self._heard = self._since_partial = 0
        self._error = ""

    def release(self) -> None:
        """Gives the engine's stream up: nothing more will be heard. The engine may give it to another."""
        del self._stream

    def work(self, jobs: list[Job]) -> list[pb.ListenEvent]:
        """Does consecutive jobs. Of several stretches of speech only the last gives a partial."""
        events: list[pb.ListenEvent] = []
        for index, job in enumerate(jobs):
            match job:
                case Speech():
                    events += self._hear(job, quiet=index + 1 < len(jobs))
                case Ask():
                    events.append(self._answer(job))
                case Forget():
                    self._forget()
        return events

    def _hear(self, speech: Speech, *, quiet: bool) -> list[pb.ListenEvent]:
        end = speech.start + len(speech.audio)
        if not self._starts or speech.start != self._heard:
            self._starts.append((self._given, speech.start))
        self._given, self._heard = self._given + len(speech.audio), end
        self._since_partial += len(speech.audio)
        if self._error:
            return []
        try:
            self._stream.accept(speech.audio)
            if quiet or self._since_partial < PARTIAL_SAMPLES:
                return []
            return self._partial(self._stream.partial())
        except (ParleyError, RuntimeError, ValueError) as error:
            self._fail(error)
            return []

    def _partial(self, hypothesis: Hypothesis) -> list[pb.ListenEvent]:
        self._since_partial = 0
        if not hypothesis.text:
            return []
        partial = pb.Partial(
            text=hypothesis.text,
            stable_chars=hypothesis.stable_chars,
            heard_samples=to_input_clock(self._heard),
        )
        return [pb.ListenEvent(partial=partial)]

    def _answer(self, ask: Ask) -> pb.ListenEvent:
        hypothesis = Hypothesis("")
        if not self._error:
            try:
                hypothesis = self._stream.finalize()
            except (ParleyError, RuntimeError, ValueError) as error:
                self._fail(error)
        final = pb.Final(
            id=ask.id,
            text=hypothesis.text,
            words=[self._word(word) for word in hypothesis.words],
            confidence=hypothesis.confidence,
            heard_samples=to_input_clock(ask.heard),
            decode_ms=(time.perf_counter() - ask.asked_at) * 1000,
            error=self._error,
        )
        return pb.ListenEvent(final=final)

    def _forget(self) -> None:
        self._stream.reset()
        self._starts.clear()
        self._given = self._heard = self._since_partial = 0
        self._error = ""

    def _fail(self, error: Exception) -> None:
        """The turn is lost; the session is not."""
        log.error("recognition failed", exc_info=error)
        self._error = error.message if isinstance(error, ParleyError) else f"The recogniser failed: {error}"

    def _word(self, word: HeardWord) -> chain_pb2.Word:
        return chain_pb2.Word(
            text=word.text,
            start_samples=to_input_clock(self._input_position(word.start)),
            end_samples=to_input_clock(self._input_position(word.end)),
            confidence=word.confidence,
        )

    def _input_position(self, engine_position: int) -> int:
        index = max(bisect_right(self._starts, (engine_position, np.iinfo(np.int64).max)) - 1, 0)
        start, heard = self._starts[index]
        return heard + engine_position - start
