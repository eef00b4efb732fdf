import numpy as np
import pytest

from parley.media.clock import FRAME_SAMPLES
from services.sda.face import mel
from training.sda import augment


def noise(frames: int, seed: int = 1) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(frames * FRAME_SAMPLES)).astype(np.float32)


@pytest.mark.parametrize("pieces", [[10], [1] * 10, [3, 7], [2, 5, 3]])
def test_features_are_the_same_however_speech_arrives(pieces: list[int]):
    audio = noise(10)
    whole = mel.of_clip(audio)
    tail, parts, at = np.zeros(mel.OVERLAP, np.float32), [], 0
    for frames in pieces:
        step = audio[at : at + frames * FRAME_SAMPLES]
        parts.append(mel.log_mel(np.concatenate([tail, step])))
        tail, at = np.concatenate([tail, step])[-mel.OVERLAP :], at + len(step)
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    assert whole.shape == (40, mel.MELS)


def test_a_frame_hears_120_ms_before_itself_and_80_ms_after():
    features = np.arange(40, dtype=np.float32)[:, None].repeat(mel.MELS, 1)
    seen = mel.contexts(features, 4, 1)
    assert seen.shape == (1, mel.MELS, mel.CONTEXT)
    np.testing.assert_array_equal(seen[0, 0], np.arange(4, 28))
    assert mel.LOOKAHEAD_SAMPLES == 1920


def test_beyond_a_clip_there_is_silence():
    features = mel.of_clip(noise(4))
    before, after = mel.contexts(features, -20, 1)[0], mel.contexts(features, 30, 1)[0]
    for outside in (before, after):
        np.testing.assert_array_equal(outside, mel.silence()[:, None].repeat(mel.CONTEXT, 1))


def test_a_hop_knows_nothing_of_what_follows_it():
    audio = noise(6)
    changed = audio.copy()
    changed[3 * FRAME_SAMPLES :] = 0
    a, b = mel.of_clip(audio), mel.of_clip(changed)
    np.testing.assert_array_equal(a[:12], b[:12])
    assert not np.allclose(a[12], b[12])


@pytest.mark.parametrize("seed", range(12))
def test_spoilt_speech_keeps_its_length_and_its_place_in_time(seed: int):
    clicks = np.zeros(12 * FRAME_SAMPLES, np.float32)
    clicks[4000 : 4000 + 400] = 0.8 * np.hanning(400) * np.sin(np.arange(400) * 0.4)
    spoilt = augment.audio(clicks, np.random.default_rng(seed))
    assert spoilt.shape == clicks.shape and spoilt.dtype == np.float32 and np.abs(spoilt).max() <= 1
    lag = int(np.argmax(np.correlate(spoilt, clicks, "full"))) - (len(clicks) - 1)
    assert abs(lag) <= mel.HOP // 4


def test_another_vocal_tract_and_another_pace_keep_silence_and_ends():
    features = mel.of_clip(noise(5))
    assert augment.warped(features, np.random.default_rng(1)).shape == features.shape
    ramp = np.arange(100, dtype=np.float32)[:, None]
    faster = augment.paced(ramp, 1.25)
    assert len(faster) == 80 and faster[40, 0] == pytest.approx(50)
