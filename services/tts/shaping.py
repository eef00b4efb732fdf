"""Samples made fit to be joined: no DC, one loudness, no clicks, no silence around a clause."""

from collections.abc import Iterable

import numpy as np

from parley.engines import Audio
from parley.media.clock import ms_to_samples

TARGET_DBFS = -20.0
_DC_WINDOW = ms_to_samples(100)
_KNEE = 0.7
_CEILING = 0.95
_ACTIVE = 0.006  # amplitude, −44 dBFS: speech is at −20
_KEEP_BEFORE = ms_to_samples(20)
_KEEP_AFTER = ms_to_samples(40)
_FADE_IN = ms_to_samples(5)
_FADE_OUT = ms_to_samples(15)
_NOTHING: Audio = np.zeros(0, np.float32)


class DcBlocker:
    """Subtracts the mean of the last 100 ms: a causal high-pass near 10 Hz that needs no loop."""

    def __init__(self) -> None:
        self._past = np.zeros(_DC_WINDOW, np.float64)

    def push(self, audio: Audio) -> Audio:
        """Filters float32 [n]."""
        joined = np.concatenate([self._past, audio])
        self._past = joined[-_DC_WINDOW:]
        sums = np.cumsum(joined)
        means = (sums[_DC_WINDOW:] - sums[:-_DC_WINDOW]) / _DC_WINDOW
        out: Audio = (audio - means).astype(np.float32)
        return out


def limit(audio: Audio) -> Audio:
    """Bends what exceeds 0.7 so that nothing exceeds 0.95; memoryless, so the same whatever the chunks."""
    over = np.abs(audio) - _KNEE
    if not (over > 0).any():
        return audio
    room = _CEILING - _KNEE
    bent = np.sign(audio) * (_KNEE + room * np.tanh(np.maximum(over, 0) / room))
    out: Audio = np.where(over > 0, bent, audio).astype(np.float32)
    return out


def active_dbfs(audio: Audio) -> float:
    """Loudness of the speech in float32 [n]: RMS over those 20 ms frames within 30 dB of the loudest.

    A simple form of the active level of ITU-T P.56. −120 for silence.
    """
    size = ms_to_samples(20)
    frames = audio[: len(audio) // size * size].reshape(-1, size).astype(np.float64)
    power = (frames**2).mean(axis=1) if len(frames) else np.zeros(1)
    active = power[power >= power.max() / 1000]
    return float(10 * np.log10(max(float(active.mean()), 1e-12)))


def gain_for(chunks: Iterable[Audio]) -> float:
    """The factor that brings a voice, heard in `chunks` (each float32 [n]), to `TARGET_DBFS`."""
    blocker = DcBlocker()
    sample = np.concatenate([_NOTHING, *(blocker.push(chunk) for chunk in chunks)])
    return float(np.clip(10 ** ((TARGET_DBFS - active_dbfs(sample)) / 20), 0.05, 20.0))


class Trimmer:
    """Drops the silence around one stretch of speech and fades its edges, as the samples stream by.

    Attributes:
        cut: Samples dropped in front; None until speech began.
    """

    def __init__(self) -> None:
        self.cut: int | None = None
        self._held = _NOTHING

    def push(self, audio: Audio, *, speech_at: int | None = None) -> Audio:
        """Takes float32 [n]; returns what surely belongs to the speech.

        Args:
            audio: The next samples.
            speech_at: Where speech begins at the latest, in samples since the first `push`, if known.
        """
        self._held = np.concatenate([self._held, audio])
        active = np.flatnonzero(np.abs(self._held) > _ACTIVE)
        if len(active) == 0:
            return _NOTHING
        if self.cut is None:
            begin = int(active[0]) if speech_at is None else min(int(active[0]), speech_at)
            self.cut = max(0, begin - _KEEP_BEFORE)
            self._held = self._held[self.cut :].copy()
            active -= self.cut
            fade = min(_FADE_IN, len(self._held))
            self._held[:fade] *= _ramp(_FADE_IN)[:fade]
        ready = max(0, int(active[-1]) + 1 - _FADE_OUT)
        out, self._held = self._held[:ready], self._held[ready:]
        return out

    def finish(self) -> Audio:
        """The rest, with 40 ms after the last sound, faded out; nothing if there was no speech."""
        if self.cut is None:
            return _NOTHING
        rest = self._held[: min(len(self._held), _FADE_OUT + _KEEP_AFTER)].copy()
        fade = min(_FADE_OUT, len(rest))
        rest[len(rest) - fade :] *= _ramp(fade)[::-1]
        self._held = _NOTHING
        return rest


def _ramp(samples: int) -> Audio:
    """A raised cosine from 0 to 1, float32 [samples]."""
    ramp: Audio = (0.5 - 0.5 * np.cos(np.pi * np.arange(samples) / max(1, samples))).astype(np.float32)
    return ramp
