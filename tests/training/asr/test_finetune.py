from pathlib import Path

import numpy as np
import orjson
import pytest
import torch

from parley.errors import ConfigError, EngineUnavailable
from services.asr.config import AsrSettings
from services.asr.engines import load
from services.asr.transcribe import transcribe
from tests.training.asr.conftest import tone
from training.asr import train as rounds
from training.asr import whisper
from training.asr.clips import Clip
from training.asr.config import Config, Lora
from training.asr.features import Hearing
from training.asr.finetune import FineTuner
from training.asr.judge import PAUSE_SAMPLES, Score
from training.asr.tokens import IGNORED


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(config: Config, tmp_path: Path) -> None:
    whole = FineTuner(config)
    whole.run()
    parts = config.model_copy(update={"out": tmp_path / "parts"})
    while not (tuner := FineTuner(parts)).done:
        tuner.run(minutes=0)
    assert tuner.step == whole.step
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, tuner.model.state_dict()[name]), name


def test_it_stops_when_the_development_set_gets_no_better(config: Config) -> None:
    tuner = FineTuner(
        config.model_copy(update={"rate": 1e-12, "steps": 100, "evaluate_every": 1, "patience": 2})
    )
    assert tuner.run()
    assert tuner.step == 2


def test_it_learns_and_what_is_exported_is_served(config: Config) -> None:
    from training.asr.export import export

    tuner = FineTuner(config.model_copy(update={"steps": 120, "evaluate_every": 30}))
    tuner.run()
    assert tuner.best < 0.8  # it began at 1.0: nothing was heard
    tuner.write(config.out / "model")
    folder = config.models / "asr" / "tones-1"
    export(config.out / "model", folder, {"windows": "short"})
    engine = load("whisper", AsrSettings(model=str(folder)))
    heard = transcribe(engine, np.pad(tone("low high mid"), 6000), 24_000)
    assert set(heard.text.split()) <= {"low", "mid", "high"}
    assert heard.words
    assert all(0 <= w.start <= w.end <= 28_000 for w in heard.words)
    (folder / "model.bin").write_bytes((folder / "model.bin").read_bytes()[:5000])
    with pytest.raises(EngineUnavailable, match=r"model\.bin is broken"):
        load("whisper", AsrSettings(model=str(folder)))


@pytest.mark.parametrize(
    ("forgets_from", "share"), [(2.0, 1.0), (0.65, 0.6), (0.0, 0.1)], ids=["never", "beyond 0.65", "always"]
)
def test_weights_go_back_until_nothing_is_forgotten(
    config: Config, monkeypatch: pytest.MonkeyPatch, forgets_from: float, share: float
) -> None:
    """The weights tell how far they went; hearing is scripted: the corpus better, the anchor worse."""
    tuner = FineTuner(config.model_copy(update={"anchor": config.general}))
    began = {name: value.detach().clone() for name, value in tuner.model.named_parameters()}
    name = next(iter(began))
    config.out.mkdir()
    torch.save({each: value + 1 for each, value in began.items()}, config.out / "best.pt")

    def heard(clips: list[Clip]) -> list[str]:
        gone = float((tuner.model.state_dict()[name] - began[name]).mean())
        anchor = clips is tuner.anchor
        wrong = (gone >= forgets_from) * gone if anchor else 1 - gone
        return ["" if k < round(wrong * len(clips)) else clip.text for k, clip in enumerate(clips)]

    monkeypatch.setattr(tuner, "_hear", heard)
    settled = tuner.settle()
    assert settled.share == share
    assert settled.anchor_before == 0
    assert (settled.anchor > 0) is (forgets_from == 0)
    for each, value in tuner.model.named_parameters():
        assert torch.allclose(value, began[each] + share, atol=1e-5), each


def test_the_development_set_is_heard_as_the_judge_hears(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speech without silence around it is unlike all that is learnt from: four times as much is misheard."""
    tuner = FineTuner(config)
    lengths: list[int] = []

    def hearing(audio: np.ndarray) -> np.ndarray:
        lengths.append(len(audio))
        assert not audio[:PAUSE_SAMPLES].any()
        assert not audio[-PAUSE_SAMPLES:].any()
        return Hearing()(audio)

    monkeypatch.setattr(tuner, "_hearing", hearing)
    clips = tuner.corpus["dev"]
    tuner._hear(clips)
    assert lengths == [len(clip.audio) + 2 * PAUSE_SAMPLES for clip in clips]


def test_without_an_anchor_the_best_weights_are_written(config: Config) -> None:
    tuner = FineTuner(config)
    tuner.run()
    assert tuner.write(config.out / "model").share == 1
    best = torch.load(config.out / "best.pt", weights_only=True)
    assert all(torch.equal(value, tuner.model.state_dict()[name]) for name, value in best.items())


# peft 0.21 asks transformers 5.24 for what it will drop in 6.
@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning")
def test_lora_teaches_little_and_comes_out_as_a_whole_model(config: Config) -> None:
    tuner = FineTuner(config.model_copy(update={"lora": Lora(rank=4)}))
    taught = sum(p.numel() for p in tuner.model.parameters() if p.requires_grad)
    assert taught < sum(p.numel() for p in tuner.model.parameters()) / 10
    tuner.run()
    tuner.write(config.out / "model")
    model, _, _ = whisper.load(str(config.out / "model"))
    assert not any("lora" in name for name, _ in model.named_parameters())


def test_the_short_encoder_is_transformers_encoder_on_a_full_window(start: Path) -> None:
    model, _, _ = whisper.load(str(start))
    features = whisper.window([Hearing()(tone("low mid"))], full=True)
    with torch.no_grad():
        ours, theirs = whisper.encode(model.eval(), features), model.model.encoder(features).last_hidden_state
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_a_missing_or_broken_checkpoint_is_named_with_the_command(start: Path) -> None:
    weights = start / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(EngineUnavailable, match=str(start)):
        whisper.load(str(start))
    weights.unlink()
    with pytest.raises(EngineUnavailable, match=r"has no model\.safetensors") as caught:
        whisper.load(str(start))
    assert f"--local-dir {start}" in caught.value.fix


def test_a_corpus_that_was_changed_after_it_was_frozen_is_refused(config: Config) -> None:
    path = config.corpus / "handover" / "asr.train.jsonl"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(ConfigError, match=r"asr\.train\.jsonl"):
        FineTuner(config)


def test_nothing_is_asked_of_what_the_decoder_only_reads(start: Path) -> None:
    _, _, codec = whisper.load(str(start))
    lesson = codec.lesson("low mid", ["high"])
    asked = [token for token in lesson.asked if token != IGNORED]
    assert asked[0] == codec.no_timestamps  # somebody speaks
    assert codec.text(asked[1:]) == "low mid"
    assert asked[-1] == codec.end
    assert codec.lesson("").asked[0] == codec.no_speech


def score(wer: float) -> Score:
    return Score(wer, wer, None, 10, 100, 0)


@pytest.mark.parametrize(
    ("after", "promoted"), [((0.2, 0.1), True), ((0.3, 0.1), False), ((0.1, 0.11), False)]
)
def test_only_what_hears_better_and_forgets_nothing_is_served(
    config: Config, monkeypatch: pytest.MonkeyPatch, after: tuple[float, float], promoted: bool
) -> None:
    """The gate, through all of `parley train asr`: training and export are real, hearing is scripted."""
    made = {"run": (0.3, 0.1), "models": after}

    def scripted(settings: AsrSettings, *rest: object) -> dict[str, Score]:
        held, general = next(v for k, v in made.items() if f"/{k}/" in settings.model)
        return {"held_out": score(held), "held_out_expecting": score(0.2), "general": score(general)}

    monkeypatch.setattr(rounds, "_scores", scripted)
    monkeypatch.setattr(rounds, "load", lambda path: config)
    rounds.train(Path("asr.yaml"))
    manifest = orjson.loads((config.models / "asr" / "manifest.json").read_bytes())
    assert manifest["models"]["tones-1"]["promoted"] is promoted
    assert manifest["current"] == ({"whisper": "tones-1"} if promoted else {})
    told = orjson.loads((config.models / "asr" / "tones-1" / "parley.json").read_bytes())
    assert told["expects"] is (after[0] >= 0.2), "words to expect are withheld from a model that they mislead"
