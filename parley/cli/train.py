"""`parley train …`: trainers. They need the `train` extra, which is imported only when one is started."""

from pathlib import Path
from typing import Annotated

import typer

from parley.cli.extras import installed

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
    with installed("train"):
        from training.sda.train import train
    train(config, minutes, avatar, start_from, out)


@app.command()
def asr(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")] = Path("training/configs/asr-tune.yaml"),
    name: Annotated[str, typer.Option(help="Another name for the model: a round needs its own.")] = "",
    minutes: Annotated[float, typer.Option(help="Stop after so long; run again to go on.")] = float("inf"),
) -> None:
    """Fine-tune the ears on a corrected corpus, judge them, and promote them if they hear better."""
    with installed("train"):
        from training.asr.train import train

        train(config, minutes, name)


@app.command()
def tts(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")] = Path("training/configs/tts-slt.yaml"),
    minutes: Annotated[float, typer.Option(help="Stop after so long; run again to go on.")] = float("inf"),
    start_from: Annotated[Path | None, typer.Option(help="Checkpoint that a fine-tune starts from.")] = None,
    out: Annotated[Path | None, typer.Option(help="Another folder than the file says.")] = None,
) -> None:
    """Train a voice, acoustic model and vocoder; goes on where it stopped."""
    with installed("train"):
        from training.tts.train import train
    train(config, minutes, start_from, out)


@app.command()
def llm(
    config: Annotated[Path, typer.Argument(help="Its YAML.")] = Path("training/configs/llm-avatars.yaml"),
    minutes: Annotated[float, typer.Option(help="Stop after so long; run again to go on.")] = float("inf"),
    out: Annotated[Path | None, typer.Option(help="Another folder than the file says.")] = None,
) -> None:
    """Train the mind: from nothing, by fine-tune (whole, LoRA, QLoRA) or DPO; goes on where it stopped."""
    with installed("train"):
        from training.llm.train import train
    train(config, minutes, out)
