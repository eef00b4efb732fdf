"""Samples made fit to be joined."""

import numpy as np
import pytest

from parley.engines import Audio
from services.tts.shaping import TARGET_DBFS, DcBlocker, Trimmer, active_dbfs, gain_for, limit


def tone(samples: int, *, amplitude: float = 0.3) -> Audio:
    return (amplitude * np.sin(np.arange(samples) * 2 * np.pi * 200 / 24_000)).astype(np.float32)


def test_dc_goes_and_speech_stays_whatever_the_chunks() -> None:
    audio = tone(24_000) + np.float32(0.05)
    whole = DcBlocker().push(audio)
    blocker = DcBlocker()
    parts = np.concatenate([blocker.push(audio[i : i + 777]) for i in range(0, len(audio), 777)])
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    assert abs(float(whole[4800:].mean())) < 1e-4
    np.testing.assert_allclose(whole[4800:], tone(24_000)[4800:], atol=0.01)


def test_peaks_are_bent_below_the_ceiling_and_the_rest_is_untouched() -> None:
    loud = tone(2400, amplitude=3.0)
    assert np.abs(limit(loud)).max() <= 0.95
    soft = tone(2400, amplitude=0.6)
    np.testing.assert_array_equal(limit(soft), soft)
    ramp = np.linspace(0, 3, 1000, dtype=np.float32)
    assert (np.diff(limit(ramp)) >= 0).all()


@pytest.mark.parametrize("amplitude", [0.02, 0.3, 0.9])
def test_gain_brings_any_voice_to_the_common_loudness(amplitude: float) -> None:
    voice = np.concatenate([np.zeros(12_000, np.float32), tone(48_000, amplitude=amplitude)])
    gain = gain_for([voice[:20_000], voice[20_000:]])
    assert active_dbfs(voice * np.float32(gain)) == pytest.approx(TARGET_DBFS, abs=0.2)


def test_silence_has_no_loudness() -> None:
    assert active_dbfs(np.zeros(48_000, np.float32)) == -120
    assert active_dbfs(np.zeros(0, np.float32)) == -120


@pytest.mark.parametrize("chunk", [311, 4800, 1 << 20])
def test_trimming_keeps_a_margin_and_fades_the_edges(chunk: int) -> None:
    audio = np.concatenate([np.zeros(6000, np.float32), tone(12_000), np.zeros(9000, np.float32)])
    trimmer = Trimmer()
    out = [trimmer.push(audio[i : i + chunk]) for i in range(0, len(audio), chunk)]
    trimmed = np.concatenate([*out, trimmer.finish()])
    assert trimmer.cut is not None
    assert 6000 - 600 < trimmer.cut <= 6000
    assert 12_000 < len(trimmed) < 12_000 + 480 + 960 + 240
    assert abs(trimmed[0]) < 1e-4
    assert abs(trimmed[-1]) < 1e-3
    np.testing.assert_allclose(trimmed[1000:11_000], audio[trimmer.cut + 1000 : trimmer.cut + 11_000])


def test_speech_that_the_engine_announces_is_kept_however_soft() -> None:
    audio = np.concatenate([tone(4800, amplitude=0.001), tone(4800)])
    trimmer = Trimmer()
    trimmer.push(audio, speech_at=1000)
    assert trimmer.cut == 1000 - 480


def test_silence_only_is_nothing() -> None:
    trimmer = Trimmer()
    assert len(trimmer.push(np.zeros(9000, np.float32))) == 0
    assert len(trimmer.finish()) == 0
    assert trimmer.cut is None
