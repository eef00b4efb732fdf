import copy

import numpy as np
import pytest
import torch

from parley.errors import ConfigError
from training.sda.ablate import WITHOUT, variant
from training.sda.board import Board
from training.sda.config import STAGES, Config, Steps, Weights, load
from training.sda.discriminators import Judges
from training.sda.loader import Loader, Windows
from training.sda.train import Trainer


def tensors(value: object, path: str = "") -> dict[str, torch.Tensor]:
    """All tensors in nested dicts and lists, by path."""
    if isinstance(value, torch.Tensor):
        return {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {name: t for key, each in items for name, t in tensors(each, f"{path}/{key}").items()}


def changed(config: Config, **told: object) -> Config:
    return config.model_copy(update=told)


def test_a_run_that_was_stopped_at_every_step_ends_bit_for_bit_like_one_that_was_not(config: Config):
    whole, pieces = changed(config, out=config.out / "a"), changed(config, out=config.out / "b")
    assert Trainer(whole).run()
    stops = 0
    while not Trainer(pieces).run(minutes=0):
        stops += 1
    assert stops == sum(config.steps.of(stage) for stage in STAGES)
    a, b = (torch.load(c.out / "state.pt", weights_only=True) for c in (whole, pieces))
    first, second = tensors(a), tensors(b)
    assert first.keys() == second.keys() and len(first) > 100
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert (a["stage"], a["step"]) == (b["stage"], b["step"]) == (len(STAGES), 0)


def test_training_lowers_every_loss_on_a_tiny_set(config: Config):
    trainer = Trainer(changed(config, steps=Steps(visemes=25, gauges=40, reconstruct=30, adversarial=0)))
    told: dict[str, list[dict[str, float]]] = {}

    class Notes(Board):
        def scalars(self, trainer: Trainer, stage: str, losses: dict[str, float]) -> None:  # type: ignore[override]
            told.setdefault(stage, []).append(losses)

        def show(self, trainer: Trainer) -> None:
            pass

    with Notes(config.out / "board") as notes:
        assert trainer.run(board=notes)
    for stage, name in (("visemes", "visemes"), ("gauges", "lips_px"), ("reconstruct", "l1")):
        values = [losses[name] for losses in told[stage]]
        assert sum(values[-5:]) < 0.8 * sum(values[:5]), (stage, values[:5], values[-5:])


@pytest.mark.parametrize("left_out", ["frame", "sequence", "sync"])
def test_each_discriminator_can_be_left_out(config: Config, left_out: str):
    weights = Weights(**{left_out: 0.0})
    trainer = Trainer(changed(config, weights=weights))
    before = copy.deepcopy(trainer.judges.state_dict())
    trainer.run()
    moved = {
        name.split(".")[0] for name, value in trainer.judges.state_dict().items()
        if not torch.equal(value, before[name])
    }  # fmt: skip
    assert moved == {"frame", "sequence", "sync"} - {left_out}


def test_the_judges_never_teach_the_gauges(config: Config):
    trainer = Trainer(changed(config, steps=Steps(visemes=1, gauges=1, reconstruct=1, adversarial=2)))
    while trainer.stage < 2:
        trainer.run(minutes=0)
    before = copy.deepcopy(trainer.sync.state_dict())
    trainer.run()
    assert all(torch.equal(value, before[name]) for name, value in trainer.sync.state_dict().items())


def test_discriminators_have_no_batch_normalisation():
    kinds = {type(module).__name__ for module in Judges().modules()}
    assert not any("Norm" in kind and "Spectral" not in kind for kind in kinds)


def test_a_fine_tune_starts_from_the_averaged_weights_of_another_run(config: Config):
    first = Trainer(config)
    first.run()
    second = Trainer(
        changed(config, out=config.out / "fine", start_from=config.out / "state.pt", identity="seed-1")
    )
    own, other = second.generator.state_dict(), first.average.state_dict()
    assert all(torch.equal(own[name], other[name]) for name in own)


def test_settings_are_strict_and_missing_material_is_named(config: Config, tmp_path):
    (tmp_path / "run.yaml").write_text("faces: a\nspeech: b\nout: c\nlearning_rat: 1\n")
    with pytest.raises(ConfigError, match="learning_rat"):
        load(tmp_path / "run.yaml")
    trainer = Trainer(changed(config, identity="nobody", steps=Steps(visemes=0, gauges=0)))
    with pytest.raises(ConfigError, match="no train clips of nobody"):
        trainer.run()


def test_batches_made_ahead_by_other_processes_are_the_same_batches(config: Config):
    make = Windows(config.faces, "train", "", 2, 6, 0.2)
    alone, ahead = Loader(make, 0), Loader(make, 2)
    try:
        for step in range(5):
            a, b = (loader.get((1, 2, step, 0)) for loader in (alone, ahead))
            np.testing.assert_array_equal(a.video, b.video)
            np.testing.assert_array_equal(a.mel, b.mel)
    finally:
        ahead.close()


def test_an_ablation_differs_in_one_discriminator_alone(config: Config):
    rows = {name: variant(config, name, 7) for name in WITHOUT}
    assert rows["all three"].weights == config.weights
    judges = ("frame", "sequence", "sync")
    left_out = {name: [w for w in judges if not getattr(row.weights, w)] for name, row in rows.items()}
    assert left_out == {
        "all three": [],
        "no frame": ["frame"],
        "no sequence": ["sequence"],
        "no sync": ["sync"],
    }
    assert {row.steps.adversarial for row in rows.values()} == {7}
    assert {row.start_from for row in rows.values()} == {config.out / "reconstruct.pt"}
    assert len({row.out for row in rows.values()}) == 4
