import numpy as np
import pytest

from services.asr.resample import EarResampler


def push_in_pieces(audio: np.ndarray, seed: int) -> np.ndarray:
    rng, resampler, out, start = np.random.default_rng(seed), EarResampler(), [], 0
    while start < len(audio):
        end = start + int(rng.integers(1, 700))
        out.append(resampler.push(audio[start:end]))
        start = end
    return np.concatenate(out)


@pytest.mark.parametrize("frequency", [100, 1_000, 3_000, 6_000])
def test_speech_passes_unchanged_and_in_place(frequency: int) -> None:
    audio = np.sin(2 * np.pi * frequency * np.arange(24_000) / 24_000).astype(np.float32)
    out = push_in_pieces(audio, seed=frequency)
    expected = np.sin(2 * np.pi * frequency * np.arange(len(out)) / 16_000)
    assert np.abs(out - expected)[100:-100].max() < 0.002


@pytest.mark.parametrize("frequency", [8_700, 10_000, 11_500])
def test_what_16_khz_cannot_hold_is_removed(frequency: int) -> None:
    audio = np.sin(2 * np.pi * frequency * np.arange(24_000) / 24_000).astype(np.float32)
    assert np.abs(push_in_pieces(audio, seed=1))[100:].max() < 0.002


def test_pieces_make_no_difference_and_little_is_held_back() -> None:
    audio = np.random.default_rng(0).standard_normal(24_000).astype(np.float32)
    whole, pieces = EarResampler().push(audio), push_in_pieces(audio, seed=2)
    np.testing.assert_allclose(pieces, whole[: len(pieces)], atol=1e-5)
    assert 0 <= 16_000 - len(pieces) <= 32
