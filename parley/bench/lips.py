"""Does the mouth move with the sound? Measured on decoded frames, knowing nothing of the engine.

Two references: loudness (correlation near 0.5 even on perfect data: a closed-lip "m" is loud), and how open a
mouth is at the phones that a forced alignment finds in the sound, which gives a sharper peak.
Both find offsets and drift; neither ranks faces.
"""

import re
from collections.abc import Sequence

import cv2
import numpy as np
import pocketsphinx
from numpy.typing import NDArray

from parley.engines import Picture
from parley.media.audio import float_to_pcm16, pcm16_to_float, resample
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ

MAX_LAG_FRAMES = 6
# Parts of a centred face, as (top, bottom, left, right) fractions of the picture.
UPPER_FACE = (0.23, 0.58, 0.23, 0.77)
MOUTH = (0.58, 0.75, 0.38, 0.62)

# How open a mouth is, 0…1, by ARPAbet phone; 0.25 where none is named.
OPENNESS = {
    **dict.fromkeys(("SIL", "B", "P", "M"), 0.0),
    **{"F": 0.1, "V": 0.1, "W": 0.15, "UW": 0.2, "UH": 0.3, "IY": 0.3, "IH": 0.35, "ER": 0.35, "EY": 0.5},
    **{"OW": 0.55, "AH": 0.55, "EH": 0.6, "OY": 0.6, "AE": 0.8, "AY": 0.85, "AO": 0.85, "AW": 0.9, "AA": 1.0},
}
OTHER_OPENNESS = 0.25
ALIGN_RATE_HZ = 16_000
ALIGN_STEPS_PER_S = 100

Curve = NDArray[np.float64]


def mouth_opening(pictures: Sequence[Picture]) -> Curve:
    """How unlike the first picture (lips at rest) the mouth is in each, once the head's motion is taken out.

    The head's motion is the shift of the upper face, found by phase correlation.

    Args:
        pictures: RGB uint8 [height, width, 3] each.

    Returns:
        float64 [n], grey levels.
    """
    grey = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY).astype(np.float32) for p in pictures]
    reference = _part(grey[0], UPPER_FACE)
    window = cv2.createHanningWindow(reference.shape[::-1], cv2.CV_32F)
    rest = _part(grey[0], MOUTH)
    opening = np.empty(len(grey))
    for i, picture in enumerate(grey):
        (dx, dy), _ = cv2.phaseCorrelate(reference, _part(picture, UPPER_FACE), window)
        shift = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        still = cv2.warpAffine(picture, shift, picture.shape[::-1], flags=flags).astype(np.float32)
        opening[i] = np.abs(_part(still, MOUTH) - rest).mean()
    return opening


def loudness(pcm: bytes) -> Curve:
    """RMS of each video frame's 960 samples of s16le, float64 [n]."""
    audio = pcm16_to_float(pcm).astype(np.float64)
    steps = audio[: len(audio) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    rms: Curve = np.sqrt((steps**2).mean(axis=1))
    return rms


def phone_opening(pcm: bytes, text: str) -> Curve | None:
    """How open a mouth should be in each video frame, by the phones that forced alignment finds in the sound.

    Args:
        pcm: s16le 24 kHz.
        text: What is said in it.

    Returns:
        float64 [n], 0…1; None when a word is not in the dictionary or the alignment fails.
    """
    decoder = pocketsphinx.Decoder(samprate=ALIGN_RATE_HZ, lm=None, loglevel="FATAL")
    words = re.findall(r"[a-z]+(?:'[a-z]+)?", text.lower().replace("’", "'"))
    if not words or any(decoder.lookup_word(word) is None for word in words):
        return None
    sound = float_to_pcm16(resample(pcm16_to_float(pcm), SAMPLE_RATE_HZ, ALIGN_RATE_HZ))
    decoder.set_align_text(" ".join(words))
    try:
        for find_phones in (False, True):
            if find_phones:
                decoder.set_alignment()
            decoder.start_utt()
            decoder.process_raw(sound, full_utt=True)
            decoder.end_utt()
        alignment = decoder.get_alignment()
    except RuntimeError:
        return None
    frames = len(pcm) // 2 // FRAME_SAMPLES
    fine = np.zeros(frames * ALIGN_STEPS_PER_S * FRAME_SAMPLES // SAMPLE_RATE_HZ)
    for word in alignment or ():
        for phone in word:
            fine[phone.start : phone.start + phone.duration] = OPENNESS.get(phone.name, OTHER_OPENNESS)
    # The mouth is not as quick as the phones: 80 ms triangle.
    fine = np.convolve(fine, np.bartlett(10) / np.bartlett(10).sum(), "same")
    opening: Curve = fine.reshape(frames, -1).mean(axis=1)
    return opening


def lag_curve(pictures: Sequence[tuple[int, Picture]], reference: Curve) -> Curve | None:
    """Correlation of mouth opening with `reference` at each lag from −6 to 6 frames, float64 [13].

    Args:
        pictures: (pts in samples, picture), in order.
        reference: `loudness` or `phone_opening`, a value per frame.

    Returns:
        Lag > 0: the mouth is late. None: the reply is too short to say.
    """
    if len(pictures) < 4 * MAX_LAG_FRAMES or len(reference) < 4 * MAX_LAG_FRAMES:
        return None
    opening = mouth_opening([p for _, p in pictures])
    shown = np.array([pts // FRAME_SAMPLES for pts, _ in pictures])
    opening = np.interp(np.arange(len(reference)), shown, opening)
    return np.array(
        [_correlation(opening, reference, lag) for lag in range(-MAX_LAG_FRAMES, MAX_LAG_FRAMES + 1)]
    )


def peak(curve: Curve) -> tuple[float, float]:
    """The lag in frames (to a fraction, by a parabola through the peak) and the correlation there."""
    best = int(curve.argmax())
    if not 0 < best < len(curve) - 1:
        return float(best - MAX_LAG_FRAMES), float(curve[best])
    left, middle, right = curve[best - 1 : best + 2]
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return best - MAX_LAG_FRAMES + float(shift), float(middle)


def _part(picture: NDArray[np.float32], box: tuple[float, float, float, float]) -> NDArray[np.float32]:
    height, width = picture.shape
    top, bottom, left, right = box
    part = picture[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return np.ascontiguousarray(part)


def _correlation(opening: Curve, reference: Curve, lag: int) -> float:
    late = opening[lag:] if lag >= 0 else opening[:lag]
    early = reference[: len(late)] if lag >= 0 else reference[-lag:]
    if late.std() == 0 or early.std() == 0:
        return 0.0
    return float(np.corrcoef(late, early)[0, 1])
