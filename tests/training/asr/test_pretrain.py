from pathlib import Path

import pytest
import torch
import yaml

from parley.errors import ConfigError
from parley.wer import plain_words
from services.asr.config import AsrSettings
from services.asr.engines import load
from training.asr.clips import listed
from training.asr.export import export
from training.asr.pretrain import Config, Net, Pretrainer, load_config, pretrain
from training.asr.sentences import kept_sentences


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A run of seconds, from a handful of clips."""
    return Config(
        speech=tmp_path / "speech",
        out=tmp_path / "run",
        clips=12,
        tested=3,
        anchored=2,
        variants=2,
        batch=4,
        phones=2,
        steps=4,
        bf16=False,
        net=Net(width=64, encoder=1, decoder=1, pieces=300),
    )


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(config: Config, tmp_path: Path) -> None:
    whole = Pretrainer(config)
    whole.run()
    parts = config.model_copy(update={"out": tmp_path / "parts"})
    while not (trainer := Pretrainer(parts)).run(minutes=0):
        assert trainer.step <= config.steps
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, trainer.model.state_dict()[name]), name
    assert torch.equal(whole.phones.weight, trainer.phones.weight)


def test_the_model_and_its_measures_are_written_and_served(config: Config, tmp_path: Path) -> None:
    path = tmp_path / "asr.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    pretrain(path)
    general = listed(config.speech / "general.jsonl", config.speech)
    kept = [" ".join(plain_words(text)) for text in kept_sentences(config.tested)]
    assert [clip.text for clip in general] == kept * 2  # in seen voices, and in unseen ones
    anchor = {clip.text for clip in listed(config.speech / "anchor.jsonl", config.speech)}
    assert len(anchor) == config.anchored
    assert not anchor & set(kept)
    assert len(listed(config.speech / "rehearse.jsonl", config.speech)) == config.clips
    export(config.out / "model", tmp_path / "served", {"windows": "short"})
    engine = load("whisper", AsrSettings(model=str(tmp_path / "served")))
    assert engine.model == "served"


def test_a_mistyped_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "asr.yaml"
    path.write_text("speech: a\nout: b\nwidht: 3\n")
    with pytest.raises(ConfigError, match="widht"):
        load_config(path)
