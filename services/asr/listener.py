"""The light half of listening: which audio is speech, told at once, whatever the recogniser is doing.

Sans-I/O: audio goes in, voice activity events come out, and the recogniser's work piles up in `jobs`.
"""

import time
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from parley.engines import Audio
from parley.media.audio import pcm16_to_float
from parley.media.clock import SAMPLE_RATE_HZ
from proto.parley.v1 import asr_pb2 as pb
from services.asr.resample import EAR_RATE_HZ, EarResampler
from services.asr.vad import VadModel, VoiceDetector

# What the recogniser gets besides speech: audio before it, and after it. The tail ends before anybody asks
# for a transcript: what came after that would open another segment.
PRE_ROLL_SAMPLES: Final = EAR_RATE_HZ * 300 // 1000
TAIL_SAMPLES: Final = EAR_RATE_HZ * 160 // 1000
# A Reset may cross a SpeechStarted on the way: speech noticed so shortly before it belongs to the next turn.
_CROSSING_SAMPLES: Final = EAR_RATE_HZ * 250 // 1000
_KEEP_SAMPLES: Final = EAR_RATE_HZ


@dataclass(frozen=True, slots=True)
class Speech:
    """Audio to be recognised: float32 [n] at 16 kHz, `start` on the 16 kHz input clock."""

    start: int
    audio: Audio


@dataclass(frozen=True, slots=True)
class Ask:
    """A Finalize; `asked_at` in seconds of `time.perf_counter`, `heard` on the 16 kHz input clock."""

    id: int
    heard: int
    asked_at: float


@dataclass(frozen=True, slots=True)
class Forget:
    """A Reset."""


Job = Speech | Ask | Forget


def to_input_clock(position: int) -> int:
    """A position at 16 kHz in samples at 24 kHz."""
    return position * SAMPLE_RATE_HZ // EAR_RATE_HZ


class Listener:
    """Finds the speech in one session's input.

    Attributes:
        jobs: What the recogniser has to do, oldest first; whoever does it pops it.
    """

    def __init__(self, vad: VadModel | None, *, threshold: float = 0.5) -> None:
        """Begins at input clock 0.

        Args:
            vad: None: push-to-talk, all audio counts as speech and no voice activity is told.
            threshold: Probability of speech from which it counts, 0…1.
        """
        self.jobs: deque[Job] = deque()
        self._detector = VoiceDetector(vad, threshold=threshold) if vad else None
        self._resampler = EarResampler()
        self._recent = np.zeros(0, np.float32)
        self._recent_end = 0
        self._position = 0  # up to here the detector has looked
        self._given = 0  # up to here audio was handed on, or never will be
        self._started = self._noticed = self._tail_end = 0
        self._pausing = False
        self._turn_open = False

    @property
    def resting(self) -> bool:
        """Whether nothing was heard since the last turn was over, so that nothing is lost by stopping now."""
        return not self._turn_open and not self.jobs

    @property
    def backlog_samples(self) -> int:
        """Audio in `jobs`, samples at 16 kHz."""
        return sum(len(job.audio) for job in self.jobs if isinstance(job, Speech))

    def push(self, pcm: bytes) -> list[pb.ListenEvent]:
        """More input.

        Args:
            pcm: s16le mono at 24 kHz, any length.

        Raises:
            MediaError: An odd number of bytes.
        """
        audio = self._resampler.push(pcm16_to_float(pcm))
        self._recent = np.concatenate([self._recent, audio])
        self._recent_end += len(audio)
        events: list[pb.ListenEvent] = []
        if self._detector is None:
            self._position = self._recent_end
            self._hand_on(self._given)
        else:
            for step in self._detector.push(audio):
                self._position = step.end
                if step.started is not None:
                    events.append(self._start(step.started))
                elif step.stopped is not None:
                    events.append(self._stop(step.stopped))
                elif self._detector.speaking or (self._pausing and step.end <= self._tail_end):
                    self._hand_on(self._given)
                if self._pausing:
                    events.append(pb.ListenEvent(pause=pb.Pause(heard_samples=to_input_clock(step.end))))
        self._recent = self._recent[-_KEEP_SAMPLES:]
        return events

    def finalize(self, id: int) -> None:
        """Queues the request for the transcript of all audio so far."""
        self.jobs.append(Ask(id, self._position, time.perf_counter()))

    def reset(self) -> list[pb.ListenEvent]:
        """The turn is over. Speech that is going on starts the next one, and is told again."""
        while self.jobs and isinstance(self.jobs[-1], Speech):
            self.jobs.pop()
        self.jobs.append(Forget())
        self._pausing = self._turn_open = False
        if self._detector is None or not self._detector.speaking:
            return []
        if self._position - self._noticed <= _CROSSING_SAMPLES:
            self._given = 0
            return [self._start(self._started)]
        return [self._start(self._position)]

    def _start(self, at: int) -> pb.ListenEvent:
        self._pausing = False
        self._started, self._noticed = at, self._position
        self._hand_on(max(at - PRE_ROLL_SAMPLES, self._given))
        return pb.ListenEvent(speech_started=pb.SpeechStarted(at_samples=to_input_clock(at)))

    def _stop(self, at: int) -> pb.ListenEvent:
        self._pausing, self._tail_end = True, at + TAIL_SAMPLES
        self._hand_on(self._given)
        return pb.ListenEvent(speech_stopped=pb.SpeechStopped(at_samples=to_input_clock(at)))

    def _hand_on(self, start: int) -> None:
        """Gives the recogniser the audio from `start` up to where the detector has looked."""
        first = self._recent_end - len(self._recent)
        start = max(start, first)
        if start < self._position:
            self._turn_open = True
            self.jobs.append(Speech(start, self._recent[start - first : self._position - first]))
        self._given = self._position
