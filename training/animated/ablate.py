# mypy: disable-error-code="import-not-found, no-any-return"
"""What transfer, the video judge and the landmark loss are good for: the same steps without them.

    python -m training.animated.ablate training/configs/animated.yaml       # goes on where it stopped

`scratch` learns drawings from nothing, for as many steps as the run's `drawn-N.pt` had when it was kept. The
others do stage `video` again, from the same `moving.pt` and with the same batches: `no-sequence` without the
judge of video, `no-lips` without the landmark loss. `training.animated.evaluate` compares.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from parley.errors import ConfigError
from training.animated.config import Config, load
from training.animated.train import Trainer


def kept(config: Config, stage: str) -> int:
    """The step of a stage at which a copy of the checkpoint was kept.

    Raises:
        ConfigError: None was.
    """
    steps = [int(place.split("-")[1]) for place in config.kept if place.startswith(f"{stage}-")]
    if not steps:
        raise ConfigError(f"`kept` names no step of stage {stage}.")
    return steps[0]


def scratch(config: Config) -> Config:
    """Drawings without a base."""
    return _beside(config, "scratch", stages=("drawn",))


def no_sequence(config: Config) -> Config:
    """Video without its judge."""
    return _beside(config, "no-sequence", weights=config.weights.model_copy(update={"sequence": 0.0}))


def no_lips(config: Config) -> Config:
    """Video without the landmark loss."""
    return _beside(config, "no-lips", weights=config.weights.model_copy(update={"lips": 0.0}))


def _beside(config: Config, name: str, **changed: Any) -> Config:
    return config.model_copy(update={"out": config.out / "ablation" / name, **changed})


VIDEO: Final[dict[str, Callable[[Config], Config]]] = {"no-sequence": no_sequence, "no-lips": no_lips}


def main(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")],
    only: Annotated[str, typer.Option(help="scratch, no-sequence or no-lips; empty: all.")] = "",
) -> None:
    """Train without the base, without the judge of video, and without the landmark loss.

    Raises:
        ConfigError: The run has not come far enough.
    """
    run = load(config)
    if only in ("", "scratch"):
        Trainer(scratch(run)).run(until=kept(run, "drawn"))
    for name, without in VIDEO.items():
        if only not in ("", name):
            continue
        begin, row = run.out / "moving.pt", without(run)
        if not begin.is_file():
            raise ConfigError(f"{begin} does not exist.", fix=f"python -m training.animated.train {config}")
        if not (row.out / "state.pt").is_file():
            row.out.mkdir(parents=True, exist_ok=True)
            shutil.copy(begin, row.out / "state.pt")
        Trainer(row).run()


if __name__ == "__main__":
    typer.run(main)
