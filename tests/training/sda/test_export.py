from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from services.sda.face.mel import CONTEXT, MELS
from training.sda import clips
from training.sda.clips import CONTROLS
from training.sda.config import Config
from training.sda.export import export, quantise, write_manifest
from training.sda.model import NOISE_STATE, Generator


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def generator() -> Generator:
    from tests.training.sda.conftest import SIZE
    from training.sda.config import Model

    torch.manual_seed(3)
    return Generator(Model(size=SIZE, widths=(24, 16, 16), audio=24, identity=8, latent=32)).eval()


@pytest.fixture(scope="module")
def weights(generator: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("weights")
    export(generator, out)
    return out


@pytest.mark.parametrize("pieces", [[1] * 12, [12], [1, 2, 4, 5], [3, 9]])
def test_speech_in_pieces_gives_the_same_pictures_as_all_at_once(
    generator: Generator, weights: Path, pieces: list[int]
):
    torch.manual_seed(5)
    size, frames = generator.model.size, sum(pieces)
    still, mel = torch.rand(1, 3, size, size) * 2 - 1, torch.randn(1, frames, MELS, CONTEXT)
    noise, controls = torch.randn(1, frames, generator.model.noise), torch.randn(1, frames, len(CONTROLS))
    with torch.no_grad():
        whole, _ = generator(still, mel, noise, controls)
    expected = ((whole[0] + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1).numpy()

    identity, audio, decoder = (session(weights / f"{n}.onnx") for n in ("identity", "audio", "decoder"))
    code, *skips = identity.run(None, {"still": still.numpy()})
    cached = {f"skip{k}": skip for k, skip in enumerate(skips)}
    states = np.zeros((1, 1, generator.model.audio), np.float32), np.zeros((1, 1, NOISE_STATE), np.float32)
    made, at = [], 0
    for count in pieces:
        now = slice(at, at + count)
        latent, _, *states = audio.run(
            None,
            {
                "mel": mel[:, now].numpy(), "noise": noise[:, now].numpy(),
                "controls": controls[:, now].numpy(), "code": code,
                "audio_state": states[0], "noise_state": states[1],
            },
        )  # fmt: skip
        made.append(decoder.run(None, {"latent": latent[0], **cached})[0])
        at += count
    pictures = np.concatenate(made)
    assert pictures.dtype == np.uint8 and pictures.shape == (frames, size, size, 3)
    assert np.abs(pictures.astype(int) - expected.astype(int)).max() <= 1


def test_frames_do_not_depend_on_sound_beyond_their_context(generator: Generator):
    mel = torch.randn(1, 8, MELS, CONTEXT)
    other = mel.clone()
    other[:, 5:] = 0
    noise, controls, code = torch.zeros(1, 8, 8), torch.zeros(1, 8, len(CONTROLS)), torch.zeros(1, 8)
    with torch.no_grad():
        a, b = (generator.latents(m, noise, controls, code, generator.start(1))[0] for m in (mel, other))
    assert torch.equal(a[:, :5], b[:, :5]) and not torch.equal(a[:, 5:], b[:, 5:])


def test_two_people_decode_in_one_batch_as_they_do_alone(generator: Generator, weights: Path):
    torch.manual_seed(7)
    size = generator.model.size
    stills = torch.rand(2, 3, size, size) * 2 - 1
    latents = torch.randn(2, generator.model.latent)
    identity, decoder = session(weights / "identity.onnx"), session(weights / "decoder.onnx")
    skips = [identity.run(None, {"still": still[None].numpy()})[1:] for still in stills]
    alone = [
        decoder.run(
            None, {"latent": latents[i : i + 1].numpy(), **{f"skip{k}": s for k, s in enumerate(skips[i])}}
        )[0]
        for i in range(2)
    ]
    both = {f"skip{k}": np.concatenate(pair) for k, pair in enumerate(zip(*skips, strict=True))}
    together = decoder.run(None, {"latent": latents.numpy(), **both})[0]
    assert np.abs(together.astype(int) - np.concatenate(alone).astype(int)).max() <= 1


def test_eight_bits_look_nearly_the_same(generator: Generator, weights: Path, config: Config):
    spoken = clips.load(config.faces, "test")
    quantise(generator, spoken, weights)
    from training.sda.export import calibration

    feed = next(calibration(generator, spoken))
    full, small = (
        session(weights / n).run(None, feed)[0].astype(float) for n in ("decoder.onnx", "decoder.int8.onnx")
    )
    error = ((full - small) ** 2).mean()
    assert 0 < error < 255**2 / 10**3  # better than 30 dB


def test_the_manifest_names_every_file(weights: Path):
    import json

    write_manifest(weights, "a test")
    told = json.loads((weights / "manifest.json").read_text())
    assert {"identity.onnx", "audio.onnx", "decoder.onnx", "model.safetensors", "config.json"} <= told[
        "sha256"
    ].keys()
    assert all(len(digest) == 64 for digest in told["sha256"].values())
