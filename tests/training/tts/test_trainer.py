"""The voice's trainer: it learns, goes on bit for bit where it stopped, and its gate can say no."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from parley.errors import ConfigError
from training.tts import gate, train
from training.tts.board import Board
from training.tts.config import STAGES, Config, Steps
from training.tts.gate import Figures, Gate
from training.tts.train import Trainer


def weights(trainer: Trainer) -> torch.Tensor:
    nets = (trainer.acoustic, trainer.vocoder, trainer.slow_acoustic, trainer.slow_vocoder)
    return torch.cat([p.detach().flatten() for net in nets for p in net.parameters()])


def test_a_run_goes_through_its_stages_and_resumes_bit_for_bit(config: Config, tmp_path: Path) -> None:
    whole = Trainer(config)
    assert whole.run()
    parts = config.model_copy(update={"out": tmp_path / "parts"})
    runs = 0
    while not Trainer(parts).run(minutes=0):  # one step a run
        runs += 1
    assert runs == sum(config.steps.of(name) for name in STAGES)
    assert torch.equal(weights(whole), weights(Trainer(parts)))


def test_it_learns_phones_and_their_lengths(config: Config) -> None:
    trainer = Trainer(config.model_copy(update={"steps": Steps(acoustic=120, vocoder=2, generated=1)}))
    random = np.random.default_rng(0)
    first = trainer._learn_acoustic(random)
    trainer.run()
    trainer.stage = 0
    last = trainer._learn_acoustic(random)
    assert last["mel"] < 0.6 * first["mel"]
    assert last["durations"] < 0.5 * first["durations"]


def test_the_gate_keeps_the_earlier_vocoder_when_the_later_one_loses(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate.measures, "distortion_db", lambda made, real: 5.0)
    trainer = Trainer(config)
    trainer.run()
    earlier = torch.load(config.out / "vocoder.pt", weights_only=True)["nets"]["slow_vocoder"]
    assert trainer.gate is not None and not trainer.gate.kept
    assert all(torch.equal(value, earlier[name]) for name, value in trainer.slow_vocoder.state_dict().items())
    assert Trainer(config).gate == trainer.gate, "what the gate said is kept with the run"


@pytest.mark.parametrize(("db", "wer", "kept"), [(4.0, 0.1, True), (4.99, 0.1, False), (4.0, 0.2, False)])
def test_a_win_is_less_distortion_and_no_more_word_errors(db: float, wer: float, kept: bool) -> None:
    assert Gate(Figures(5.0, 0.1, 20.0, 0.9), Figures(db, wer, 20.0, 0.9)).kept is kept


def test_both_vocoders_of_a_run_can_be_measured_again(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer(config)
    trainer.run()
    gate.main(config.out, held_out=0)
    assert str(trainer.gate) in capsys.readouterr().out


def test_a_fine_tune_begins_as_the_voice_that_it_starts_from(config: Config, tmp_path: Path) -> None:
    base = Trainer(config)
    base.run()
    tuned = Trainer(config.model_copy(update={"out": tmp_path / "tuned", "start_from": base.path}))
    for name, value in tuned.acoustic.state_dict().items():
        assert torch.equal(value, base.slow_acoustic.state_dict()[name]), name


def test_the_board_shows_samples_mels_and_alignments(config: Config, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = Trainer(config)
    trainer.step = 10
    with Board(tmp_path / "board") as board:
        board.scalars(trainer, "acoustic", {"mel": 0.5})
        board.show(trainer)
    told = EventAccumulator(str(tmp_path / "board"))
    told.Reload()
    tags = told.Tags()
    assert "acoustic/mel" in tags["scalars"] and "held_out/distortion_db" in tags["scalars"]
    assert "held_out/mel_0" in tags["images"] and "held_out/alignment_0" in tags["images"]
    assert "held_out/0" in tags["audio"]


def test_without_speech_the_error_names_the_command(config: Config, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"training\.tts\.material"):
        Trainer(config.model_copy(update={"speech": tmp_path / "empty"}))


def test_the_command_line_stops_in_time_and_goes_on(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(config.model_dump_json(), encoding="utf-8")  # JSON is YAML
    train.train(path, minutes=0)
    assert "stopped in stage acoustic" in capsys.readouterr().out
    train.train(path, minutes=math.inf)
    assert "done; vocoder fine-tuned" in capsys.readouterr().out
