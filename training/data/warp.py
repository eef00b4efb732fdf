"""Gives speech another's timing, its pitch kept: waveform-similarity overlap-add.

Verhelst and Roelands, "An overlap-add technique based on waveform similarity (WSOLA) for high quality
time-scale modification of speech" (ICASSP 1993), with a rate that follows a piecewise linear map of time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.data.forced import Alignment

Audio = NDArray[np.float32]
Anchors = NDArray[np.float64]

_WINDOW_S = 0.03
_SEARCH_S = 0.008


def anchors(
    original: Alignment, spoken: Alignment, original_s: float, spoken_s: float
) -> tuple[Anchors, Anchors]:
    """Times that belong together, by phone where a word has the same phones in both, else by word.

    Args:
        original: whose timing is wanted.
        spoken: the same words.
        original_s: length of the first recording.
        spoken_s: length of the second.

    Returns:
        Two strictly rising arrays of equal length, each from 0 to its recording's length, seconds.
    """
    pairs = [(0.0, 0.0)]
    for one, two in zip(original.words, spoken.words, strict=True):
        pairs.append((one.start_s, two.start_s))
        if len(one.phones) == len(two.phones):
            pairs += [(a[2], b[2]) for a, b in zip(one.phones, two.phones, strict=True)]
        else:
            pairs.append((one.end_s, two.end_s))
    pairs.append((original_s, spoken_s))
    kept = [pairs[0]]
    for pair in pairs[1:-1]:
        if pair[0] > kept[-1][0] + 1e-3 and pair[1] > kept[-1][1] + 1e-3:
            kept.append(pair)
    while len(kept) > 1 and (kept[-1][0] >= original_s - 1e-3 or kept[-1][1] >= spoken_s - 1e-3):
        kept.pop()
    kept.append(pairs[-1])
    both = np.array(kept)
    return both[:, 0], both[:, 1]


def stretch(original: Alignment, spoken: Alignment) -> float:
    """The share of speech, in the original's time, whose words are more than 2.5 times as long or short."""
    bad = total = 0.0
    for one, two in zip(original.words, spoken.words, strict=True):
        a, b = one.end_s - one.start_s, two.end_s - two.start_s
        total += a
        bad += a if not 0.4 < b / max(a, 1e-3) < 2.5 else 0.0
    return bad / total if total else 1.0


def warp(audio: Audio, rate_hz: int, to_s: Anchors, from_s: Anchors) -> Audio:
    """Moves what is at `from_s` to `to_s`.

    Args:
        audio: float32 [n].
        rate_hz: its rate.
        to_s: rising anchors of the result's time; the last is its length.
        from_s: where each is in `audio`.

    Returns:
        float32 [round(to_s[-1] * rate_hz)].
    """
    window = round(_WINDOW_S * rate_hz) // 2 * 2
    hop, search = window // 2, round(_SEARCH_S * rate_hz)
    length = round(float(to_s[-1]) * rate_hz)
    shape = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    margin = window + search
    source = np.pad(audio, (margin, margin + window))
    out = np.zeros(length + 2 * window, np.float32)
    follows: int | None = None  # where in `source` the last window would go on by itself
    for start in range(0, length + hop, hop):
        wanted = np.interp(start / rate_hz, to_s, from_s) * rate_hz
        at = round(float(wanted)) - hop + margin
        at = min(max(at, search), len(source) - window - search)
        if follows is not None and follows + hop <= len(source):
            natural = source[follows : follows + hop]
            near = source[at - search : at + search + hop]
            fits = np.correlate(near, natural, "valid")
            energy = np.sqrt(np.convolve(np.square(near), np.ones(hop, np.float32), "valid") + 1e-6)
            at += int(np.argmax(fits / energy)) - search
        out[start : start + window] += source[at : at + window] * shape
        follows = at + hop
    return out[hop : hop + length]
