"""An inaudible mark in speech that survives codecs: bands a little louder or softer, by a pattern.

Every 40 ms each band of 80 Hz between 400 and 6000 Hz becomes louder or softer by 1.2 to 1.8 decibels, as a
pattern of ±1 says that repeats every 64 frames. A third of the pattern is known to the detector, which finds
the grid by it; the rest carries 48 coded bits (`parley.provenance.code`). Gains follow the speech: silence
stays silent, and loud sound hides them (spread spectrum over log energies: Bender et al., Techniques for data
hiding, IBM Systems Journal 35, 1996; Kirovski and Malvar, Spread-spectrum watermarking of audio signals, IEEE
TSP 51, 2003).

The gains are minimum-phase filters, whose first tap lets the sound through at once and whose others only look
back: the mark adds no latency and moves no sample.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.provenance import code

Audio = NDArray[np.float32]
Doubles = NDArray[np.float64]

PERIOD: Final = 64  # frames: 2.56 s
LOW_HZ: Final = 400.0
HIGH_HZ: Final = 6000.0
BAND_HZ: Final = 80.0
BANDS: Final = int((HIGH_HZ - LOW_HZ) / BAND_HZ)
FALSE_POSITIVES: Final = 1e-6
PUBLIC_PATTERN: Final = "parley"

_STRENGTH_DB = ((1500.0, 3000.0), (1.2, 1.8))  # the ear forgives more above, where speech is noise
_SYNC_SHARE = 1 / 3
_TAPS = 512
_FADE = 240  # samples in which one frame's gains become the next one's
_FFT = 2048
_STEP = 120  # the grid is searched in eighths of a frame
_CANDIDATES = 8
_MOST = 0.4  # nepers that one cell may say: an onset must not outvote a second of vowel
_RANGE_DB = 45.0  # frames softer than this below the loudest say nothing
_LEAST_FRAMES = 12


def threshold(false_positives: float = FALSE_POSITIVES) -> float:
    """The score from which a clip counts as marked.

    For cells x that know nothing of the pattern, Hoeffding gives P(Σ ±x ≥ z‖x‖) ≤ exp(−z²/2) whatever x is. A
    clip is tried with every grid, every phase of the pattern, and at most every payload: the union of all.

    Args:
        false_positives: Bound on the share of unmarked clips that are called marked.
    """
    tried = FRAME_SAMPLES // _STEP * PERIOD * 2**code.PAYLOAD_BITS
    return math.sqrt(2 * math.log(tried / false_positives))


@dataclass(frozen=True, slots=True)
class Detection:
    """What the detector saw.

    Attributes:
        score: Correlation with the pattern in standard deviations.
        payload: 16 bits; None: no mark was found.
        bound: Upper bound of the chance that an unmarked clip scores so.
    """

    score: float
    payload: int | None
    bound: float


@lru_cache(maxsize=8)
def _pattern(name: str) -> tuple[Doubles, NDArray[np.int64]]:
    """Signs ±1, and the coded bit that each cell carries (-1: it is for finding the grid): [PERIOD, BANDS].

    Drawn by Philox from the name: the same on every machine.
    """
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    draw = np.random.Generator(np.random.Philox(seed))
    cells = PERIOD * BANDS
    signs = draw.integers(0, 2, cells) * 2.0 - 1
    sync = int(cells * _SYNC_SHARE)
    owners = np.concatenate([np.full(sync, -1), np.arange(cells - sync) % code.CODED_BITS])
    grid: Doubles = signs.astype(np.float64).reshape(PERIOD, BANDS)
    return grid, draw.permutation(owners).astype(np.int64).reshape(PERIOD, BANDS)


def _chips(payload: int, name: str) -> Doubles:
    """The whole pattern with its bits, ±1 [PERIOD, BANDS]."""
    signs, owners = _pattern(name)
    return signs * np.where(owners < 0, 1, code.encode(payload)[owners])


@cache
def _bands() -> tuple[Doubles, NDArray[np.int64], NDArray[np.bool_]]:
    """Of each FFT bin: its frequency, its band, and whether it is in one."""
    frequency: Doubles = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE_HZ).astype(np.float64)
    band = np.floor((frequency - LOW_HZ) / BAND_HZ).astype(np.int64)
    return frequency, band, (band >= 0) & (band < BANDS)


@lru_cache(maxsize=8)
def _filters(payload: int, name: str) -> NDArray[np.complex128]:
    """Spectra of each frame's filter, complex [PERIOD, _FFT / 2 + 1].

    Minimum phase by the folded cepstrum (Oppenheim and Schafer, Discrete-Time Signal Processing, chapter 13),
    tapered to _TAPS.
    """
    frequency, band, inside = _bands()
    decibels = np.zeros((PERIOD, len(frequency)))
    decibels[:, inside] = _chips(payload, name)[:, band[inside]] * np.interp(frequency[inside], *_STRENGTH_DB)
    cepstrum = np.fft.irfft(decibels * (math.log(10) / 20), _FFT, axis=1)
    fold = np.zeros(_FFT)
    fold[:_TAPS] = 2.0
    fold[0] = 1.0
    half = _TAPS // 2
    fold[half:_TAPS] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(half) / half)
    taps = np.fft.irfft(np.exp(np.fft.rfft(cepstrum * fold, axis=1)), _FFT, axis=1)[:, :_TAPS]
    spectra: NDArray[np.complex128] = np.fft.rfft(taps, _FFT, axis=1)
    spectra.setflags(write=False)
    return spectra


class Marker:
    """Marks one stream of speech as it goes by; as many samples out as in, at once.

    Args:
        payload: 16 bits to carry.
        pattern: Name that the pattern is drawn from; whoever knows it can find the mark, and wash it out.

    Raises:
        ValueError: The payload has more than 16 bits.
    """

    def __init__(self, payload: int, pattern: str = PUBLIC_PATTERN) -> None:
        self._filters = _filters(payload, pattern)
        self._past = np.zeros(_TAPS)
        self._at = 0

    def push(self, audio: Audio) -> Audio:
        """The next samples, float32 [n] at 24 kHz, marked."""
        out = np.empty(len(audio), np.float32)
        done = 0
        while done < len(audio):
            piece = audio[done : done + FRAME_SAMPLES - self._at % FRAME_SAMPLES]
            out[done : done + len(piece)] = self._within_frame(piece)
            done += len(piece)
        return out

    def _within_frame(self, audio: Audio) -> Doubles:
        """Filters samples that lie in one frame of the pattern."""
        frame, place = divmod(self._at, FRAME_SAMPLES)
        joined = np.concatenate([self._past, audio])
        self._past = joined[-_TAPS:]
        self._at += len(audio)
        spectrum = np.fft.rfft(joined, _FFT)
        out: Doubles = np.fft.irfft(spectrum * self._filters[frame % PERIOD], _FFT)[_TAPS : len(joined)]
        if place < _FADE:
            before = np.fft.irfft(spectrum * self._filters[(frame - 1) % PERIOD], _FFT)[_TAPS : len(joined)]
            share = np.minimum((np.arange(place, place + len(audio)) + 0.5) / _FADE, 1)
            out = share * out + (1 - share) * before
        return out


def mark(audio: Audio, payload: int, pattern: str = PUBLIC_PATTERN) -> Audio:
    """A whole clip, marked: float32 [n] at 24 kHz to as many."""
    return Marker(payload, pattern).push(audio)


def detect(audio: Audio, pattern: str = PUBLIC_PATTERN) -> Detection:
    """Looks for a mark in float32 [n] at 24 kHz, wherever it was cut.

    Args:
        audio: Speech; two seconds of it are about what is needed.
        pattern: As it was marked with.
    """
    signs, owners = _pattern(pattern)
    ranked: list[tuple[float, int, Doubles]] = []
    for offset in range(0, FRAME_SAMPLES, _STEP):
        folded = _folded(audio[offset:])
        if folded is not None:
            scores = _sync_scores(folded, signs, owners < 0)
            ranked += [(float(scores[s]), int(s), folded) for s in np.argsort(scores)[-_CANDIDATES:]]
    ranked.sort(key=lambda candidate: -candidate[0])
    read = (_read(np.roll(cells, -shift, axis=0), signs, owners) for _, shift, cells in ranked[:_CANDIDATES])
    score, payload = max(read, default=(0.0, 0))
    bound = min(1.0, FALSE_POSITIVES * math.exp((threshold() ** 2 - score**2) / 2))
    return Detection(score, payload if score >= threshold() else None, bound)


def _read(cells: Doubles, signs: Doubles, owners: NDArray[np.int64]) -> tuple[float, int]:
    """Score and likeliest payload of cells [PERIOD, BANDS] whose phase is known."""
    signed = cells * signs
    carries = owners >= 0
    soft: Doubles = np.bincount(owners[carries], signed[carries], code.CODED_BITS).astype(np.float64)
    payload, agreement = code.decode(soft)
    return float(signed[~carries].sum() + agreement) / max(float(np.linalg.norm(cells)), 1e-12), payload


def _folded(audio: Audio) -> Doubles | None:
    """The cells' deviations, added up by phase of the pattern: [PERIOD, BANDS]; None: too short."""
    frames = len(audio) // FRAME_SAMPLES
    if frames < _LEAST_FRAMES:
        return None
    # The window stands where the gains do not change: later than the frame by half a fade.
    shifted = audio[_FADE // 2 : frames * FRAME_SAMPLES]
    shifted = np.concatenate([shifted, np.zeros(_FADE // 2, np.float32)]).reshape(frames, FRAME_SAMPLES)
    window = np.hanning(FRAME_SAMPLES + 2)[1:-1].astype(np.float32)
    _, _, inside = _bands()
    spectrum = np.fft.rfft(shifted * window, _FFT, axis=1)[:, inside]
    cells = _deviations((spectrum.real**2 + spectrum.imag**2).astype(np.float64))
    cells = np.concatenate([cells, np.zeros((-frames % PERIOD, BANDS))])
    folded: Doubles = cells.reshape(-1, PERIOD, BANDS).sum(axis=0)
    return folded


def _deviations(power: Doubles) -> Doubles:
    """How far each band of each frame is above its neighbours, in nepers: [frames, BANDS].

    The frames before and after tell what the speech is, the two bands on either side how its loudness moves.
    A band counts as far as it stands out of what is heard when nobody speaks.

    Args:
        power: Of the FFT bins that lie in bands, [frames, bins].
    """
    _, band, inside = _bands()
    starts = np.flatnonzero(np.diff(band[inside], prepend=-1))
    energy = np.add.reduceat(power, starts, axis=1)
    loudness = energy.sum(axis=1)
    alive = loudness > max(loudness.max() * 10 ** (-_RANGE_DB / 10), 1e-12)
    around = _smoothed(energy, 9)
    level = 0.5 * np.log(energy + 0.03 * around + 1e-9 * loudness.max() + 1e-20)
    padded, living = np.pad(level, ((1, 1), (0, 0))), np.pad(alive.astype(float), 1)[:, None]
    heard = living[:-2] + living[2:]
    expected = (padded[:-2] * living[:-2] + padded[2:] * living[2:]) / np.maximum(heard, 1)
    deviation = np.where(heard > 0, level - expected, 0.0)
    # The mean of the two bands on either side: of five, less the band itself.
    deviation -= (5 * _smoothed(deviation, 5) - deviation) / 4
    quiet = energy[np.argsort(loudness)[: max(1, len(loudness) // 10)]].mean(axis=0)
    weight = np.clip(1 - quiet / (energy + 1e-20), 0, 1)
    cells: Doubles = np.clip(deviation, -_MOST, _MOST) * weight * alive[:, None]
    return cells


def _smoothed(rows: Doubles, width: int) -> Doubles:
    """A moving mean over the bands, the edges mirrored."""
    half = width // 2
    sums = np.cumsum(np.pad(rows, ((0, 0), (half + 1, half)), mode="reflect"), axis=1)
    out: Doubles = (sums[:, width:] - sums[:, :-width]) / width
    return out


def _sync_scores(folded: Doubles, signs: Doubles, known: NDArray[np.bool_]) -> Doubles:
    """Correlation with the known part of the pattern at each of its phases, normalised: [PERIOD]."""

    def correlate(cells: Doubles, with_: Doubles) -> Doubles:
        spectrum = np.fft.rfft(cells, axis=0) * np.conj(np.fft.rfft(with_, axis=0))
        out: Doubles = np.fft.irfft(spectrum.sum(axis=1), PERIOD)
        return out

    norms = np.sqrt(np.maximum(correlate(folded**2, known.astype(float)), 1e-12))
    scores: Doubles = correlate(folded, signs * known) / norms
    return scores
