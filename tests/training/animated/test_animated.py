import numpy as np
import pytest
import torch

from parley.errors import ConfigError
from training.animated.ablate import kept, no_lips, no_sequence, scratch
from training.animated.augment import Adaptive
from training.animated.config import STAGES, Config, Model, load
from training.animated.evaluate import flicker, frechet, lagged
from training.animated.export import SKIPS, _Decoder, _Identity
from training.animated.model import Animator, pasted, repeated, window
from training.animated.train import Trainer


@pytest.fixture(scope="module")
def net() -> Animator:
    torch.manual_seed(1)
    return Animator(Model()).eval().requires_grad_(False)


def test_a_run_that_was_stopped_at_every_step_ends_bit_for_bit_like_one_that_was_not(config: Config) -> None:
    whole, pieces = (config.model_copy(update={"out": config.out / name}) for name in "ab")
    assert Trainer(whole).run()
    stops = 0
    while not Trainer(pieces).run(minutes=0):
        stops += 1
    assert stops == sum(config.steps.of(stage) for stage in STAGES)
    a, b = (torch.load(c.out / "state.pt", weights_only=True)["nets"] for c in (whole, pieces))
    for name, nets in a.items():
        assert [key for key in nets if not torch.equal(nets[key], b[name][key])] == []


def test_transfer_leaves_the_first_blocks_of_the_frame_judge_as_they_were(config: Config) -> None:
    trainer = Trainer(config)
    while trainer.stage < 1:
        trainer.run(minutes=0)
    before = {name: value.clone() for name, value in trainer.judges.frame.state_dict().items()}
    while trainer.stage < 2:
        trainer.run(minutes=0)
    after = trainer.judges.frame.state_dict()
    frozen = tuple(["begin", *(f"blocks.{index}." for index in range(config.frozen))])
    assert all(torch.equal(after[name], before[name]) for name in before if name.startswith(frozen))


def test_a_style_scales_what_demodulation_keeps_of_unit_size(net: Animator) -> None:
    layer, x = net.synthesis.blocks[2][1], torch.randn(8, 96, 16, 16)
    style = torch.randn(8, 128)
    scale = layer.affine(style)
    weights = layer.weight * scale[:, None, :, None, None]  # the paper's way: weights of each picture
    weights = weights * torch.rsqrt(weights.square().sum((2, 3, 4), keepdim=True) + 1e-6)
    each = torch.cat(
        [torch.nn.functional.conv2d(a[None], w, padding=1) for a, w in zip(x, weights, strict=True)]
    )
    wanted = torch.nn.functional.leaky_relu(each * 2**0.5 + layer.bias[:, None, None], 0.2)
    assert torch.allclose(layer(x, style), wanted, atol=1e-4)


def test_what_is_outside_of_the_window_is_the_still(net: Animator) -> None:
    still = torch.rand(2, 3, 256, 256) * 2 - 1
    content = net.encoder(still)
    moves = net.posed(torch.rand(2, 6), torch.rand(2, 4), torch.zeros(2, 3))
    whole = pasted(still, net.draw(content, moves, still).shown)
    outside = torch.ones_like(whole, dtype=torch.bool)
    window(outside)[:] = False
    assert torch.equal(whole[outside], still[outside]) and not torch.equal(whole, still)


def test_a_trajectory_does_not_depend_on_how_it_was_cut(net: Animator) -> None:
    mel, noise, controls = torch.randn(1, 6, 80, 24), torch.randn(1, 6, 8), torch.randn(1, 6, 4)
    whole, _, _ = net.trajectory(mel, noise, controls, torch.zeros(1, 3), net.start(1))
    parts, states = [], net.start(1)
    for cut in (slice(0, 2), slice(2, 6)):
        part, _, states = net.trajectory(
            mel[:, cut], noise[:, cut], controls[:, cut], torch.zeros(1, 3), states
        )
        parts.append(part)
    assert torch.allclose(torch.cat(parts, 1), whole, atol=1e-5)


def test_the_graphs_draw_what_the_model_draws(net: Animator) -> None:
    still = torch.rand(1, 3, 256, 256) * 2 - 1
    moves = net.posed(torch.rand(3, 6), torch.rand(3, 4), torch.zeros(3, 3))
    shown = net.draw(repeated(net.encoder(still), 3), moves, still.expand(3, -1, -1, -1)).shown
    _, *skips = _Identity(net)(still)
    assert len(skips) == len(SKIPS)
    made = _Decoder(net)(moves.flatten(1), skips[0], *(skip.expand(3, *skip.shape[1:]) for skip in skips[1:]))
    assert (made.float() / 127.5 - 1 - shown.permute(0, 2, 3, 1)).abs().max() < 0.02


def test_the_augmentation_follows_how_sure_the_judge_is() -> None:
    ada = Adaptive(0.6)
    pictures = torch.rand(4, 3, 32, 32)
    assert torch.equal(ada(pictures), pictures)
    for _ in range(30):
        ada.follow(torch.ones(8))
    assert ada.probability == pytest.approx(0.3)
    assert ada(pictures).shape == pictures.shape and not torch.equal(ada(pictures), pictures)
    for _ in range(60):
        ada.follow(-torch.ones(8))
    assert ada.probability == 0


def test_measures_of_what_is_known() -> None:
    random = np.random.default_rng(1)
    curve = random.normal(0, 1, 60)
    assert lagged(curve, curve) == (0, pytest.approx(1))
    assert lagged(np.roll(curve, 2), curve)[0] == 2
    features = torch.from_numpy(random.normal(0, 1, (400, 5)))
    assert frechet(features, features) == pytest.approx(0, abs=1e-3)
    assert frechet(features + 2, features) == pytest.approx(20, rel=1e-2)
    real = torch.zeros(5, 3, 8, 8)
    made = real.clone()
    made[::2, :, :, :4] = 0.1
    assert flicker(real, real) == 0 and flicker(made, real) == pytest.approx(0.05 * 127.5, rel=1e-4)


def test_comparisons_differ_in_one_thing_alone(config: Config) -> None:
    run = config.model_copy(update={"kept": ("drawn-1",)})
    assert kept(run, "drawn") == 1
    assert scratch(run).stages == ("drawn",) and scratch(run).steps == run.steps
    assert no_sequence(run).weights == run.weights.model_copy(update={"sequence": 0.0})
    assert no_lips(run).weights == run.weights.model_copy(update={"lips": 0.0})
    assert no_sequence(run).steps == no_lips(run).steps == run.steps
    with pytest.raises(ConfigError, match="moving"):
        kept(run, "moving")


def test_settings_are_strict(tmp_path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("heads: a\nspeech: b\nvoice: c\nreader: d\nout: e\nlearning_rat: 1\n")
    with pytest.raises(ConfigError, match="learning_rat"):
        load(path)
