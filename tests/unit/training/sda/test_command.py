import sys
from pathlib import Path

import pytest

from parley.cli import train
from parley.errors import EngineUnavailable
from training.sda.config import Config, load

CONFIGS = Path(__file__).parents[4] / "training" / "configs"


def test_without_torch_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [n for n in sys.modules if n.startswith("training.sda.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(EngineUnavailable, match=r"needs the package torch.*setup python train"):
        train.sda(Path("nowhere.yaml"))


@pytest.mark.parametrize("name", ["sda-128", "sda-256"])
def test_the_committed_settings_are_valid_and_fit_the_decoder(name: str):
    run: Config = load(CONFIGS / f"{name}.yaml")
    last = 4 << (len(run.model.widths) - 1)
    assert run.model.size == int(name[-3:]) and run.model.size % last == 0
    assert run.weights.frame and run.weights.sequence and run.weights.sync
