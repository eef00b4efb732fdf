"""From phones with times to mouth curves, as speech arrives: dominance blending (Cohen and Massaro, 1993)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from parley.engines import TimedPhone
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from services.sda.face.controls import LIP_CLOSERS, PHONES, REST, VISEMES, Control, Mouth, Viseme

LOOKAHEAD = 2 * FRAME_SAMPLES
LONGEST_PHONE = int(0.6 * SAMPLE_RATE_HZ)
LEAD = 0.0  # s: how far the face is ahead of the sound; articulation anticipates by itself
CLOSED_FOR = (
    FRAME_SAMPLES / 2
)  # a closure is shown by the one frame nearest to its middle, however short it is
MEMORY = int(1.0 * SAMPLE_RATE_HZ)
_TAPS = np.array([-0.026, -0.013, 0.0, 0.013, 0.026])  # s
_TAP_WEIGHTS = np.exp(-0.5 * (_TAPS / 0.014) ** 2) / np.exp(-0.5 * (_TAPS / 0.014) ** 2).sum()


@dataclass(frozen=True, slots=True)
class _Key:
    """A viseme in time (media samples)."""

    viseme: Viseme
    start: int
    end: int
    known_at: int  # end of the phone that it belongs to
    closes: bool


class PhoneTrack:
    """Phones in, mouths out.

    The mouth of frame t depends only on phones that start before the end of frame t + `LOOKAHEAD` and last no
    longer than `LONGEST_PHONE` beyond it: so it is the same however the speech was cut into pieces.
    """

    def __init__(self) -> None:
        self._keys: list[_Key] = []
        self._end = 0

    def add(self, phones: Sequence[TimedPhone]) -> None:
        """More phones, in order; `end` on the media clock."""
        for phone in phones:
            start, end = self._end, max(phone.end, self._end)
            names = PHONES.get(phone.symbol, ("AH",))
            turn = start + int(0.55 * (end - start)) if len(names) == 2 else end
            closes = phone.symbol in LIP_CLOSERS
            for name, a, b in zip(names, (start, turn), (turn, end), strict=False):
                self._keys.append(_Key(VISEMES[name], a, b, end, closes))
            self._end = end

    def knows(self, frame: int, heard: int) -> bool:
        """Whether the mouth of `frame` can be told, when `heard` samples of speech are in."""
        horizon = (frame + 1) * FRAME_SAMPLES + LOOKAHEAD
        return self._end >= horizon or heard >= horizon + LONGEST_PHONE

    def mouth(self, frame: int) -> Mouth:
        """The mouth that `frame` shows."""
        now = frame * FRAME_SAMPLES + int(LEAD * SAMPLE_RATE_HZ)
        horizon = (frame + 1) * FRAME_SAMPLES + LOOKAHEAD
        self._keys = [k for k in self._keys if k.end > now - MEMORY]
        keys = [k for k in self._keys if k.start < horizon and k.known_at <= horizon + LONGEST_PHONE]
        if not keys:
            return REST.copy()
        middle = np.array([(k.start + k.end) / 2 for k in keys]) / SAMPLE_RATE_HZ
        half = np.maximum(np.array([(k.end - k.start) / 2 for k in keys]) / SAMPLE_RATE_HZ, 0.02)
        # what has just come into view fades in, so that the curve has no step
        fresh = np.clip(np.array([horizon - k.start for k in keys]) / FRAME_SAMPLES, 0, 1)
        dominance = np.array([k.viseme.dominance for k in keys]) * fresh
        holds = np.stack([k.viseme.holds for k in keys])
        targets = np.stack([k.viseme.mouth for k in keys])
        out = np.zeros_like(REST)
        for tap, share in zip(_TAPS, _TAP_WEIGHTS, strict=True):
            far = np.abs(now / SAMPLE_RATE_HZ + tap - middle)
            weight = (dominance * np.exp(-1.3 * far / (0.75 * half + 0.012)))[:, None] * holds
            out += share * (weight * targets).sum(0) / (weight.sum(0) + 1e-9)
        for key in keys:
            if key.closes and abs((key.start + key.end) / 2 - now) <= CLOSED_FOR:
                out[Control.OPEN], out[Control.LIFT] = min(out[Control.OPEN], -0.75), 0.0
                out[Control.TUCK :] = 0.0
        return out
