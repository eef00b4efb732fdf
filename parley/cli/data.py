"""`parley data …`: recordings to a corpus."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from parley.cli.studio import review
from training.data import status as statuses
from training.data.stages.fetch import items
from training.data.subject import Subject, load_subject
from training.data.synthetic_faces.render_clips import render
from training.ledger import Shard, entries
from training.runner import Runner

app = typer.Typer(no_args_is_help=True)
app.command()(review)
app.command()(render)

Config = Annotated[Path, typer.Argument(help="The subject's YAML.")]

console = Console(stderr=True)


class Bars:
    """A bar per stage, with rate and time left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._start: dict[str, int] = {}

    def __call__(self, stage: str, done: int, total: int, media_s: float) -> None:
        """See `training.runner.Progress`."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total, completed=done, speed="")
        task = self._tasks[stage]
        spent = self._progress.tasks[task].elapsed or 0.0
        speed = f"{media_s / spent:.0f}x real time" if media_s and spent else ""
        self._progress.update(task, completed=done, total=total, speed=speed)


def runner_of(subject: Subject, **options: object) -> Runner:
    """The runner over a subject's stages and sources."""
    return Runner(
        subject.corpus,
        subject.runs(),
        lambda: items(subject.sources),
        reserve_mb=subject.reserve_mb,
        **options,  # type: ignore[arg-type]
    )


@app.command()
def run(
    config: Config,
    stage: Annotated[str, typer.Option(help="This stage alone.")] = "",
    until: Annotated[str, typer.Option(help="This stage last.")] = "",
    shard: Annotated[
        str,
        typer.Option(help="i/n: this part of the items; SLURM and Kubernetes say it themselves."),
    ] = "",
    workers: Annotated[
        int | None,
        typer.Option(
            help="Processes, each on one core; 0: this one does the work. [default: all cores]", min=0
        ),
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for other shards.")] = 0,
    retry: Annotated[bool, typer.Option(help="Do items again that failed.")] = False,
) -> None:
    """Run the stages; stopped or killed at any moment, the same command goes on where it was."""
    subject = load_subject(config)
    columns = (
        TextColumn("{task.description:>14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        runner_of(
            subject,
            shard=Shard.parse(shard),
            workers=len(os.sched_getaffinity(0)) if workers is None else workers,
            wait_s=wait,
            retry=retry,
            progress=Bars(progress),
        ).run(only=stage, until=until)
    _show(subject)


@app.command()
def status(
    config: Config,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")] = False,
) -> None:
    """What each stage has done, turned down (by reason) and failed, in items and hours."""
    subject = load_subject(config)
    if as_json:
        table = [each.as_dict() for each in statuses.collect(runner_of(subject))]
        print(orjson.dumps(table, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(subject)


@app.command()
def rejected(config: Config) -> None:
    """Every recording and clip that was turned down or failed, and why."""
    subject = load_subject(config)
    table = Table(title=subject.name)
    for column in ("stage", "which", "ended", "why"):
        table.add_column(column, overflow="fold")
    for each in statuses.unfit(runner_of(subject)):
        table.add_row(each.stage, each.name, each.status, each.reason)
    Console().print(table)


@app.command("demo-material")
def demo_material(
    folder: Annotated[Path, typer.Argument(help="Where to.")] = Path("data/demo-material"),
    seed: Annotated[int, typer.Option(help="Of noise and pauses.")] = 1,
    scale: Annotated[int, typer.Option(help="How many times each kind of conversation.", min=1)] = 1,
) -> None:
    """Make recordings whose truth is known, good and bad ones, for training/configs/demo.yaml."""
    from training.data.demo_material import build

    with console.status(f"Voices, faces and noise into {folder}…"):
        build(folder, seed=seed, scale=scale)


@app.command("demo-review")
def demo_review(
    config: Config,
    truth: Annotated[Path, typer.Argument(help="truth.json.")] = Path("data/demo-material/truth.json"),
    clips: Annotated[int, typer.Option(help="How many, the most doubtful first.", min=1)] = 10,
) -> None:
    """Play a reviewer who knows what is said in the demo material: a round of review without a person."""
    from training.data.demo_review import review as decide
    from training.data.store import Corpus

    subject = load_subject(config)
    runner = runner_of(subject)
    runner.survey()
    names = {row["id"]: Path(row["file"]).name for row in runner.rows("fetch")}
    accepted = decide(Corpus(subject.corpus), truth, names, clips)
    console.print(f"{accepted} clips accepted. Next: parley data run {config}")


@app.command()
def report(config: Config) -> None:
    """How the recognisers' error moved, round by round of review: accepted, random and held-out clips."""
    subject = load_subject(config)
    table = Table(title=f"{subject.name}: errors by round")
    for column in ("round", "edits", "clips", "back", "over", "engine", "CER", "WER", "words"):
        table.add_column(column, justify="left" if column in ("over", "engine") else "right", no_wrap=True)
    rounds = [row for entry in entries(subject.corpus, "review") for row in entry["rows"]]
    for number, row in enumerate(rounds, 1):
        first = [str(number), str(row["edits"]), f"{row['accepted']}/{row['clips']}", str(row["sent_back"])]
        lines = [(over, name, found) for over, each in row["engines"].items() for name, found in each.items()]
        for over, name, found in lines or [("", "", None)]:
            errors = (
                [f"{found['cer']:.1%}", f"{found['wer']:.1%}", str(found["words"])] if found else [""] * 3
            )
            table.add_row(*first, over, name, *errors)
            first = [""] * len(first)
    Console().print(table)


def _show(subject: Subject) -> None:
    table = Table(title=subject.name)
    for column in ("stage", "items", "done", "rejected", "failed", "to do", "hours", "x real"):
        table.add_column(column, justify="left" if column == "stage" else "right", no_wrap=True)
    every = statuses.collect(runner_of(subject))
    for each in every:
        table.add_row(
            each.stage,
            str(each.items),
            str(each.done),
            str(each.rejected),
            str(each.failed),
            str(each.pending),
            f"{each.media_s / 3600:.2f}" if each.media_s else "",
            f"{each.speed:.1f}" if each.speed else "",
        )
    out = Console()
    out.print(table)
    for each in every:
        if each.reasons:
            reasons = ", ".join(f"{count} {reason}" for reason, count in each.reasons.items())
            out.print(f"{each.stage}: {reasons}", highlight=False)
