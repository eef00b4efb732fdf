"""Photos into the space of styles, and drawn selves out of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from training.animated import losses, sketch
from training.animated.config import Config, Model
from training.animated.export import portraiture
from training.animated.heads import people
from training.animated.likeness import Likeness
from training.animated.model import Animator, Encoder
from training.animated.photo import nearer, restored
from training.animated.train import Trainer
from training.data.cartoon import drawing
from training.data.cartoon.characters import drawn_self
from training.data.synthetic_faces.identities import identity

TINY = Model(size=64, widths=(16,) * 5, convolutions=(1,) * 5, style=16, z=8, motion=16)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """An exported folder as far as photos are concerned."""
    torch.manual_seed(1)
    parts = Animator(TINY), Encoder(TINY), Likeness(TINY)
    save_file(portraiture(*parts), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model": TINY.model_dump()}), encoding="utf-8")
    return tmp_path


def test_a_character_survives_being_told_in_numbers() -> None:
    for seed in range(30):
        who = drawn_self(identity(seed))
        back = sketch.character(sketch.numbers(who), "soft")
        assert (back.hair, back.glasses) == (who.hair, who.glasses)
        assert (back.beard > 0) == (who.beard >= sketch.LOWEST["beard"])
        a, b = (drawing.draw(each, drawing.Face(), 64).astype(int) for each in (who, back))
        assert np.abs(a - b).mean() < 4  # a faint beard and freckles are left out


def test_numbers_out_of_all_bounds_are_a_character_all_the_same() -> None:
    random = np.random.default_rng(1)
    for _ in range(20):
        told = random.normal(0, 5, sketch.NUMBERS).astype(np.float32)
        assert drawing.draw(sketch.character(told, "ink"), drawing.Face(), 64).shape == (64, 64, 3)
    with pytest.raises(ValueError, match="oil"):
        sketch.character(told, "oil")  # type: ignore[arg-type]


def test_the_truth_about_a_likeness_costs_least() -> None:
    told = torch.from_numpy(np.stack([sketch.numbers(drawn_self(identity(seed))) for seed in range(8)]))
    sure = told.clone()
    for part in sketch.KINDS:
        sure[:, part] *= 20  # logits
    right, wrong = losses.likeness(sure, told), losses.likeness(sure.roll(1, 0), told)
    assert right < 1e-3 < 0.3 < wrong


def test_contours_of_a_blur_are_missed_and_those_of_a_tint_are_not() -> None:
    real = torch.zeros(1, 3, 16, 16)
    real[..., 8:] = 1.0
    blurred = torch.nn.functional.avg_pool2d(real, 5, 1, 2, count_include_pad=False)
    assert losses.contours(real + 0.3, real) < 1e-6 < 0.05 < losses.contours(blurred, real)


def test_the_encoder_learns_from_nobody_that_is_held_out() -> None:
    split = people()
    assert split["mira"] == split["theo"] == split["seed-480"] == "test"
    assert split["seed-0"] == split["seed-479"] == "train" and len(split) == 530


def test_exported_weights_draw_paint_and_tell_apart(weights: Path) -> None:
    hand, random = restored(weights), np.random.default_rng(1)
    photos = [random.integers(0, 255, (80, 80, 3), dtype=np.uint8) for _ in range(2)]
    for photo in photos:
        assert hand.paint(photo).shape == hand.draw(photo).shape == (64, 64, 3)
        assert np.array_equal(hand.draw(photo), hand.draw(photo))
        assert not np.array_equal(hand.draw(photo, "soft"), hand.draw(photo, "ink"))
    assert not torch.equal(hand.content(photos[0]).style, hand.content(photos[1]).style)
    assert nearer(np.zeros((512, 512, 3), np.uint8)).shape == (450, 450, 3)


def test_styles_come_to_tell_the_likeness_of_who_is_seen(config: Config) -> None:
    steps = config.steps.model_copy(update={"base": 40, "judged_from": 1.0})
    trainer, told = Trainer(config.model_copy(update={"steps": steps, "save_every": 100})), []

    class Listener:
        def scalars(self, _: Trainer, said: dict[str, float]) -> None:
            told.append(said["likeness"])

    trainer.run(board=Listener(), until=39)  # type: ignore[arg-type]
    assert np.mean(told[-5:]) < 0.8 * np.mean(told[:5])


def test_the_landmark_loss_is_part_of_every_stage_in_which_mouths_move(config: Config) -> None:
    for run, wanted in ((config, True), (without_lips(config), False)):
        said: dict[str, set[str]] = {}

        class Listener:
            def scalars(self, trainer: Trainer, told: dict[str, float], said=said) -> None:
                said.setdefault(trainer.name, set()).update(told)

            def show(self, _: Trainer) -> None: ...

        assert Trainer(run).run(board=Listener())  # type: ignore[arg-type]
        assert {stage: "lips" in told for stage, told in said.items()} == {
            "base": False, "drawn": wanted, "moving": wanted, "video": wanted,
        }  # fmt: skip


def without_lips(config: Config) -> Config:
    weights = config.weights.model_copy(update={"lips": 0.0})
    return config.model_copy(update={"weights": weights, "out": config.out / "without"})
