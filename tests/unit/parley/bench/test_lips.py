"""The lip-sync measure finds lags that were put in."""

import numpy as np
import pytest

from parley.bench.lips import lag_curve, loudness, mouth_opening, peak, phone_opening
from parley.bench.questions import spoken
from parley.media.audio import float_to_pcm16
from parley.media.clock import FRAME_SAMPLES

FRAMES = 120


def drawn(opening: np.ndarray, *, sway: float = 0.0) -> list[tuple[int, np.ndarray]]:
    """Pictures of a textured head with a dark mouth as high as `opening` says, swaying from side to side."""
    random = np.random.default_rng(3)
    texture = np.kron(random.integers(90, 160, (64, 64)), np.ones((4, 4))).astype(np.uint8)
    pictures = []
    for i, height in enumerate(opening):
        face = texture.copy()
        face[165 - int(12 * height) : 166 + int(12 * height), 108:148] = 10
        face = np.roll(face, round(sway * np.sin(i / 9)), axis=1)
        pictures.append((i * FRAME_SAMPLES, np.repeat(face[..., None], 3, axis=2)))
    return pictures


def opening_and_sound(lag: int) -> tuple[np.ndarray, bytes]:
    random = np.random.default_rng(5)
    levels = np.convolve(random.random(FRAMES + 12), np.ones(3) / 3, "same")[6:-6]
    sound = np.repeat(levels, FRAME_SAMPLES).astype(np.float32) * random.choice(
        [-0.5, 0.5], FRAMES * FRAME_SAMPLES
    )
    shown = np.roll(levels, lag)
    shown[0] = 0
    return shown, float_to_pcm16(sound.astype(np.float32))


@pytest.mark.parametrize("lag", [-3, 0, 2])
@pytest.mark.parametrize("sway", [0.0, 4.0])
def test_finds_the_lag_though_the_head_moves(lag: int, sway: float) -> None:
    shown, pcm = opening_and_sound(lag)
    curve = lag_curve(drawn(shown, sway=sway), loudness(pcm))
    assert curve is not None
    found, correlation = peak(curve)
    assert abs(found - lag) < 0.5
    assert correlation > 0.6


def test_too_short_a_reply_says_nothing() -> None:
    shown, pcm = opening_and_sound(0)
    assert lag_curve(drawn(shown[:10]), loudness(pcm)) is None


def test_opening_is_zero_at_rest_and_grows() -> None:
    pictures = [p for _, p in drawn(np.array([0.0, 0.0, 0.5, 1.0]))]
    opening = mouth_opening(pictures)
    assert opening[0] == 0
    assert opening[1] < 0.5
    assert opening[1] < opening[2] < opening[3]


def test_phones_open_and_close_where_they_sound() -> None:
    pcm = float_to_pcm16(spoken("mama papa mama papa", "slt"))
    opening = phone_opening(pcm, "mama papa mama papa")
    assert opening is not None
    assert len(opening) == len(pcm) // 2 // FRAME_SAMPLES
    assert opening.max() > 0.8
    inner = opening[5:-8]
    closures = sum(a > b <= c for a, b, c in zip(inner, inner[1:], inner[2:], strict=False))
    assert closures >= 5


def test_unknown_words_are_no_reference() -> None:
    assert phone_opening(float_to_pcm16(spoken("hello", "slt")), "hello zzxqk") is None
