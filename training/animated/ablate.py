# mypy: disable-error-code="import-not-found, no-any-return"
"""What transfer and the video judge are good for: the same steps without them.

    python -m training.animated.ablate training/configs/animated.yaml       # goes on where it stopped

`scratch` learns drawings from nothing, for as many steps as the run's `drawn-N.pt` had when it was kept;
`no-sequence` goes on from the run's `video-N.pt`, when its judges began to be heard, without the judge of
video. `training.animated.evaluate` compares.
"""

import shutil
from pathlib import Path
from typing import Annotated

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
    return config.model_copy(update={"stages": ("drawn",), "out": config.out / "ablation" / "scratch"})


def no_sequence(config: Config) -> Config:
    """Video without its judge."""
    weights = config.weights.model_copy(update={"sequence": 0.0})
    return config.model_copy(update={"out": config.out / "ablation" / "no-sequence", "weights": weights})


def main(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")],
    only: Annotated[str, typer.Option(help="scratch or no-sequence; empty: both.")] = "",
) -> None:
    """Train without the base, and without the judge of video.

    Raises:
        ConfigError: The run has not come far enough.
    """
    run = load(config)
    if only in ("", "scratch"):
        Trainer(scratch(run)).run(until=kept(run, "drawn"))
    if only in ("", "no-sequence"):
        begin, row = run.out / f"video-{kept(run, 'video')}.pt", no_sequence(run)
        if not begin.is_file():
            raise ConfigError(f"{begin} does not exist.", fix=f"python -m training.animated.train {config}")
        if not (row.out / "state.pt").is_file():
            row.out.mkdir(parents=True, exist_ok=True)
            shutil.copy(begin, row.out / "state.pt")
        Trainer(row).run()


if __name__ == "__main__":
    typer.run(main)
