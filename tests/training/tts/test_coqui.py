"""The coqui engine's real loaders on checkpoints made here: random weights prove loading, not quality."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("TTS", reason="the `coqui` extra is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # coqui-tts's own

import torch  # noqa: E402

from parley.errors import EngineUnavailable  # noqa: E402
from services.tts.config import TtsSettings  # noqa: E402
from services.tts.engines import load  # noqa: E402
from services.tts.engines.coqui import AGREED, CoquiEngine, load_coqui  # noqa: E402


@pytest.fixture(scope="module")
def vits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small VITS of phonemes, saved as coqui-tts saves one."""
    from TTS.config.shared_configs import BaseAudioConfig
    from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
    from TTS.tts.models.vits import Vits

    folder = tmp_path_factory.mktemp("vits")
    config = VitsConfig(
        audio=BaseAudioConfig(sample_rate=16000, hop_length=256, mel_fmax=None),
        model_args=VitsArgs(
            hidden_channels=32,
            hidden_channels_ffn_text_encoder=32,
            num_layers_text_encoder=1,
            num_layers_flow=1,
            num_layers_posterior_encoder=1,
            upsample_initial_channel_decoder=32,
            use_sdp=False,
            init_discriminator=False,
        ),
        use_phonemes=True,
        phonemizer="espeak",
        phoneme_language="en-us",
        text_cleaner="english_cleaners",
        add_blank=True,
    )
    torch.manual_seed(1)
    net = Vits.init_from_config(config)
    net.duration_predictor.proj.bias.data.fill_(2.0)  # seven frames a symbol
    config.save_json(str(folder / "config.json"))
    torch.save({"model": net.state_dict()}, folder / "model.pth")
    return folder


@pytest.fixture(scope="module")
def xtts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small XTTS with a clip to clone, agreed to."""
    import soundfile
    from tokenizers import Tokenizer, models
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    folder = tmp_path_factory.mktemp("xtts")
    letters = ["[STOP]", "[UNK]", "[SPACE]", "[START]", "[en]", *"abcdefghijklmnopqrstuvwxyz.,?!'"]
    book = Tokenizer(models.BPE({letter: n for n, letter in enumerate(letters)}, [], unk_token="[UNK]"))
    book.save(str(folder / "vocab.json"))
    config = XttsConfig()
    args = config.model_args
    args.gpt_layers, args.gpt_n_model_channels, args.gpt_n_heads = 1, 64, 2
    args.gpt_max_audio_tokens, args.decoder_input_dim = 28, 64
    args.gpt_number_text_tokens, args.gpt_start_text_token, args.gpt_stop_text_token = len(letters), 3, 0
    args.tokenizer_file = str(folder / "vocab.json")
    torch.manual_seed(1)
    net = Xtts.init_from_config(config)
    config.save_json(str(folder / "config.json"))
    torch.save({"model": net.state_dict()}, folder / "model.pth")
    (folder / AGREED).write_text("yes", encoding="utf-8")
    (folder / "references").mkdir()
    wave = 0.1 * np.random.default_rng(0).standard_normal(22050 * 3)
    soundfile.write(folder / "references" / "ada.wav", wave, 22050)
    return folder


def coqui(folder: Path, **settings: float) -> CoquiEngine:
    return load_coqui(TtsSettings(engine="coqui", model=str(folder), **settings))


def test_vits_speaks_with_phone_times_from_its_durations(vits: Path) -> None:
    engine = load("coqui", TtsSettings(model=str(vits)))
    assert engine.has_phones and engine.voices() == ("default",)
    chunks = list(engine.synthesize("Hello [M IH1 R AH0], how are you?", voice="default"))
    made = sum(len(chunk.audio) for chunk in chunks)
    phones = [phone for chunk in chunks for phone in chunk.phones]
    heard = [phone.symbol for phone in phones]
    assert "".join(heard).find("mihrah") >= 0, heard
    assert all(a.end <= b.end for a, b in pairwise(phones))
    assert abs(phones[-1].end - made) < 0.02 * 24_000
    again = list(engine.synthesize("Hello [M IH1 R AH0], how are you?", voice="default"))
    assert np.array_equal(chunks[0].audio, again[0].audio)


def test_vits_speaks_faster_and_higher(vits: Path) -> None:
    def length(engine: CoquiEngine, speed: float) -> int:
        return sum(
            len(c.audio) for c in engine.synthesize("One two three four.", voice="default", speed=speed)
        )

    engine = coqui(vits)
    assert length(engine, 2.0) < 0.75 * length(engine, 1.0)
    # A pitch of its own costs no time.
    assert length(coqui(vits, semitones=4.0), 1.0) == pytest.approx(length(engine, 1.0), rel=0.15)


def test_xtts_clones_a_clip_and_streams(xtts: Path) -> None:
    engine = coqui(xtts)
    assert engine.voices()[0] == "ada" and not engine.has_phones
    chunks = [chunk for chunk in engine.synthesize("Hello there.", voice="ada") if len(chunk.audio)]
    assert len(chunks) > 1, "speech comes before the clause is decoded"
    assert all(chunk.audio.dtype == np.float32 for chunk in chunks)


def test_xtts_asks_for_its_licence(xtts: Path) -> None:
    agreed = (xtts / AGREED).read_text(encoding="utf-8")
    (xtts / AGREED).unlink()
    try:
        with pytest.raises(EngineUnavailable, match=r"services\.tts\.fetch"):
            coqui(xtts)
    finally:
        (xtts / AGREED).write_text(agreed, encoding="utf-8")


@pytest.mark.parametrize("kind", ["vits", "xtts"])
def test_a_corrupt_checkpoint_is_named_with_the_command(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    import shutil

    folder = tmp_path / kind
    shutil.copytree(request.getfixturevalue(kind), folder)
    (folder / "model.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(EngineUnavailable, match=r"model\.pth is damaged.*services\.tts\.fetch"):
        coqui(folder)
    weights = {"model": {"text_encoder.emb.weight": torch.zeros(1)}}
    torch.save(weights, folder / "model.pth")
    with pytest.raises(EngineUnavailable, match=r"model\.pth is damaged"):
        coqui(folder)
    (folder / "model.pth").unlink()
    with pytest.raises(EngineUnavailable, match=r"model\.pth is missing.*services\.tts\.fetch"):
        coqui(folder)


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model": "tacotron2"}), encoding="utf-8")
    with pytest.raises(EngineUnavailable, match="VITS or an XTTS"):
        coqui(tmp_path)
