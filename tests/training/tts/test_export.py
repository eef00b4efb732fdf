"""What runs without PyTorch says what PyTorch says."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from parley.errors import EngineUnavailable
from services.tts.engines.fastpitch import FastPitchEngine
from services.tts.fastpitch import frames, source
from services.tts.fastpitch.frames import HOP
from services.tts.fastpitch.voice import Voice
from training.tts import signal
from training.tts.config import AcousticSize, VocoderSize
from training.tts.export import export
from training.tts.model import FEATURES, Acoustic, Vocoder
from training.tts.train import speak

CODES = np.array([[1, 0, 0, 2, 2], [5, 1, 1, 0, 2], [20, 0, 0, 2, 2], [1, 0, 0, 2, 2]])


@pytest.fixture(scope="module")
def nets() -> tuple[Acoustic, Vocoder]:
    """Untrained, with phones of six frames, and a voice at 160 Hz."""
    torch.manual_seed(1)
    acoustic = Acoustic(AcousticSize(width=32, encoder=1, decoder=1))
    acoustic.durations.head.bias.data.fill_(1.8)
    return acoustic.eval(), Vocoder(VocoderSize(width=32, blocks=2)).eval()


@pytest.fixture(scope="module")
def folder(nets: tuple[Acoustic, Vocoder], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported voice."""
    out = tmp_path_factory.mktemp("voice")
    export(*nets, out, {"voice": "test"})
    return out


def test_stretches_in_a_batch_are_filtered_as_alone(folder: Path) -> None:
    voice = Voice(folder)
    told = np.random.default_rng(1).standard_normal((3, 40, FEATURES), np.float32)
    together = voice.filters(told)
    for k in range(3):
        for batch, alone in zip(together, voice.filters(told[k : k + 1]), strict=True):
            np.testing.assert_allclose(batch[k], alone[0], atol=1e-5)


def test_speech_is_the_same_as_in_pytorch_and_in_parts(
    nets: tuple[Acoustic, Vocoder], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = Voice(folder)
    plan = voice.plan(np.tile(CODES, (12, 1)))
    with torch.no_grad():
        whole = speak(
            nets[1],
            *(
                torch.from_numpy(part)[None]
                for part in (
                    source.features(plan.mel, plan.hertz, plan.voiced),
                    source.buzz(plan.hertz),
                    source.noise(len(plan.hertz)),
                )
            ),
        )[0].numpy()
    parts = list(voice.speak(plan))
    assert len(parts) > 3
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)
    assert len(whole) == plan.durations.sum() * HOP


def test_both_signal_paths_agree() -> None:
    sound = np.random.default_rng(0).standard_normal(40 * HOP).astype(np.float32) * 0.1
    np.testing.assert_allclose(signal.mel(torch.from_numpy(sound)[None])[0], frames.mel(sound), atol=1e-4)
    back = signal.samples(signal.spectrum(torch.from_numpy(sound)[None]))[0]
    np.testing.assert_allclose(back, sound, atol=1e-5)


def test_the_engine_speaks_it_with_phones(folder: Path) -> None:
    engine = FastPitchEngine(str(folder))
    assert engine.voices()[0] == "test"
    chunks = list(engine.synthesize("Hello there.", voice="test"))
    phones = [phone for chunk in chunks for phone in chunk.phones]
    made = sum(len(chunk.audio) for chunk in chunks)
    assert [p.symbol for p in phones] == ["pau", "hh", "ah", "l", "ow", "dh", "eh", "r", "pau"]
    assert phones[-1].end == made and all(a.end < b.end for a, b in pairwise(phones))
    again = list(engine.synthesize("Hello there.", voice="test"))
    assert all(np.array_equal(a.audio, b.audio) for a, b in zip(chunks, again, strict=True))


def test_speed_and_pitch(folder: Path) -> None:
    voice = Voice(folder)
    plain, fast, high = voice.plan(CODES), voice.plan(CODES, speed=2.0), voice.plan(CODES, semitones=12)
    assert fast.durations.sum() == pytest.approx(plain.durations.sum() / 2, abs=2)
    np.testing.assert_allclose(high.hertz, 2 * plain.hertz, rtol=1e-5)


def test_a_damaged_voice_is_an_error_that_names_the_file(
    nets: tuple[Acoustic, Vocoder], tmp_path: Path
) -> None:
    export(*nets, tmp_path / "voice", {"voice": "test"})
    (tmp_path / "voice" / "decoder.onnx").write_bytes(b"no")
    with pytest.raises(EngineUnavailable, match=r"decoder\.onnx is missing or damaged"):
        Voice(tmp_path / "voice")
    (tmp_path / "voice" / "manifest.json").unlink()
    with pytest.raises(EngineUnavailable, match=r"manifest\.json is missing"):
        FastPitchEngine(str(tmp_path / "voice"))


def test_the_manifest_says_what_the_runtime_needs(folder: Path) -> None:
    about = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert about["vocoder_reach"] == 9 and set(about["sha256"]) == {
        "encoder.onnx",
        "decoder.onnx",
        "vocoder.onnx",
    }
