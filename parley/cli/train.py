"""`parley train …`: trainers. They need the `train` extra, which is imported only when one is started."""

from pathlib import Path
from typing import Annotated

import typer

from parley.errors import EngineUnavailable

app = typer.Typer(no_args_is_help=True)


@app.callback()
def about() -> None:
    """Train the models of the chain."""


@app.command()
def sda(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")] = Path("training/configs/sda-128.yaml"),
    minutes: Annotated[float, typer.Option(help="Stop after so long; run again to go on.")] = float("inf"),
    avatar: Annotated[str, typer.Option(help="Fine-tune on this avatar's clips alone.")] = "",
    start_from: Annotated[Path | None, typer.Option(help="Checkpoint that a fine-tune starts from.")] = None,
    out: Annotated[Path | None, typer.Option(help="Another folder than the file says.")] = None,
) -> None:
    """Train the talking face; goes on where it stopped."""
    try:
        from training.sda.train import train
    except ModuleNotFoundError as error:
        raise EngineUnavailable(
            f"Training needs the package {error.name}.",
            fix='Run `pip install "torch==2.13.0" -e ".[train]"`.',
        ) from error
    train(config, minutes, avatar, start_from, out)
