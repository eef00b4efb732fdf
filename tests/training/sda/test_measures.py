import numpy as np
import pytest
import torch

from tests.training.sda.conftest import SIZE
from training.sda import clips, evaluate
from training.sda.card import card
from training.sda.config import Config, Regions
from training.sda.gauges import LipNet
from training.sda.losses import importance
from training.sda.model import Generator
from training.sda.syncnet import SyncNet, chance, measure


class Knowing(SyncNet):
    """Reads a code that picture and sound carry, so that the measure itself can be measured."""

    def see(self, video: torch.Tensor) -> torch.Tensor:
        return video[:, 2:-2, :, 0, 0]

    def hear(self, mel: torch.Tensor) -> torch.Tensor:
        return mel[:, :, :3, 0]


@pytest.mark.parametrize("shift", [-4, 0, 3])
def test_the_sync_measure_finds_how_far_sound_is_out_of_step(shift: int):
    codes = torch.nn.functional.normalize(
        torch.randn(60, 3, generator=torch.Generator().manual_seed(1)), dim=-1
    )
    video, mel = torch.zeros(60, 3, 4, 4), torch.zeros(60, 80, 24)
    video[:, :, 0, 0], mel[:, :3, 0] = codes, torch.roll(codes, shift, 0)
    found = measure(Knowing(), video, mel)
    assert found.offset == shift and found.confidence > 0.8
    assert measure(Knowing(), video[:1].expand(60, -1, -1, -1), mel).confidence < found.confidence / 2


def test_a_sync_network_that_knows_nothing_has_the_loss_of_chance():
    torch.manual_seed(0)
    net = SyncNet()
    with torch.no_grad():
        net.sharpness.fill_(-9.0)
        loss = net.loss(torch.rand(2, 20, 3, SIZE, SIZE), torch.rand(2, 20, 80, 24))
    assert float(loss) == pytest.approx(chance(20), abs=0.01)


def test_the_mouth_counts_most_and_the_eyes_count_in_a_blink():
    weight = importance(64, torch.tensor([[0.0, 1.0]]), Regions())
    assert weight.mean() == pytest.approx(1.0, abs=1e-4)
    open_, shut = weight[0, 0, 0], weight[0, 1, 0]
    assert open_[48, 32] == pytest.approx(8 * float(open_[4, 4])) and open_[62, 2] == 2 * open_[4, 4]
    assert shut[18, 32] / shut[4, 4] == 8 and open_[18, 32] == open_[4, 4]


def test_figures_of_the_truth_are_perfect_and_a_still_is_frozen(config: Config):
    torch.manual_seed(0)
    clip = clips.load(config.faces, "test")[0]
    shown = evaluate.speak(Generator(config.model), clip, 40, torch.device("cpu"))
    assert shown.made.shape == shown.real.shape == (40, 3, SIZE, SIZE)
    sync, lips = SyncNet(), LipNet()
    real, still = shown.real, shown.real[:1].expand_as(shown.real)
    perfect = evaluate.figures(real, real, shown.mel, sync, lips)
    assert perfect["psnr"] == 99 and perfect["ssim"] == pytest.approx(1) and perfect["lip_distance_px"] == 0
    assert perfect["jitter"] == 1 and "sync_offset" in perfect
    frozen = evaluate.figures(still, real, shown.mel, sync, lips)
    assert frozen["jitter"] == 0 and frozen["psnr_mouth"] < 30


def test_the_viseme_bank_picks_the_most_similar_mouth():
    real = torch.arange(6.0)[:, None, None, None].expand(6, 3, 2, 2)
    mouth = np.array([[0, 0], [1, 0], [0, 1], [0, 0.9], [0.9, 0], [0.1, 0]], np.float32)
    assert evaluate.viseme_bank(real, mouth, 3)[:, 0, 0, 0].tolist() == [2, 1, 0]


def test_the_card_tells_what_was_measured(config: Config):
    quality = {"full": {"psnr": 30.5}, "still": {"psnr": 20.0}}
    ablation = {"steps": 300, "table": {"no sync": {"psnr": 29.5}}}
    lips = {"mira": {"p b m": {"apart_px": 0.5}, "iy": {"apart_px": 6.7}}}
    told = card(config, quality, ablation, lips, 123, 4.5, {"decoder.onnx": 2_000_000})
    assert "| full | 30.5 |" in told and "Trained 123 steps on 4.5 minutes" in told and "2.00 MB" in told
    assert "| mira | 0.5 | 6.7 |" in told
    assert "300 adversarial steps" in told and "| no sync | 29.5 |" in told
