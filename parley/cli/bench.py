"""`parley bench …`: every figure that this project reports, by the command that gives it."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from parley.avatars import DEFAULT_AVATAR
from parley.bench.answer import measure_answer
from parley.bench.barge import measure_barge_in
from parley.bench.latency import measure_latency
from parley.bench.load import measure_idle, measure_load
from parley.bench.questions import recorded_questions
from parley.bench.watermark import measure_watermark
from parley.chain.bench import hop_latency
from parley.settings import Settings
from parley.supervisor import Ports, Stack

app = typer.Typer(no_args_is_help=True)

Url = Annotated[str, typer.Option(help="Gateway to measure; empty: start one of our own on free ports.")]
Key = Annotated[str, typer.Option(envvar="PARLEY_API_KEY", help="API key, if the gateway wants one.")]
AvatarName = Annotated[str, typer.Option(help="Who answers.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the whole result there, too.")]

stderr = Console(stderr=True)


@contextlib.asynccontextmanager
async def a_stack(url: str) -> AsyncIterator[tuple[str, Stack | None]]:
    """The gateway at `url`, or a stack of our own for as long as the measurement lasts."""
    if url:
        yield url, None
        return
    async with Stack(Ports.free(), say=stderr.print) as stack:
        with stderr.status("Starting a stack of our own…"):
            await stack.wait_ready()
        yield stack.url, stack


def report(result: dict[str, Any], json_file: Path | None) -> None:
    """Prints the summary as JSON, and writes all of it to the file."""
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))
    shown = {k: v for k, v in result.items() if k != "rows"}
    print(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())


def run(measurement: Coroutine[Any, Any, dict[str, Any]], json_file: Path | None) -> None:
    """Measures and reports."""
    report(asyncio.run(measurement), json_file)


@app.command()
def latency(
    turns: Annotated[int, typer.Option(help="Spoken turns.")] = 20,
    avatar: AvatarName = DEFAULT_AVATAR,
    human: Annotated[bool, typer.Option(help="Human recordings among the questions.")] = True,
    url: Url = "",
    key: Key = "",
    json: Json = None,
) -> None:
    """Speech end to first audio and first frame, by stage; and how lips and sound fit."""

    async def go() -> dict[str, Any]:
        async with a_stack(url) as (where, _):
            return await measure_latency(
                where, avatar, turns=turns, key=key, human=human, progress=stderr.print
            )

    run(go(), json)


@app.command()
def answer(
    out_dir: Annotated[Path, typer.Option(help="Where the answers go as videos.")] = Path("artifacts"),
    avatar: AvatarName = DEFAULT_AVATAR,
    url: Url = "",
    key: Key = "",
    json: Json = None,
) -> None:
    """Asks human and synthesised recordings; checks transcript, speech (by ASR) and lips of each answer."""

    async def go() -> dict[str, Any]:
        out_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            recordings = recorded_questions(Path(folder))
            async with a_stack(url) as (where, _):
                return await measure_answer(where, avatar, recordings, out_dir=out_dir, key=key)

    run(go(), json)


@app.command()
def barge(
    interruptions: Annotated[int, typer.Option(help="How many answers are interrupted.")] = 50,
    avatar: AvatarName = DEFAULT_AVATAR,
    url: Url = "",
    key: Key = "",
    json: Json = None,
) -> None:
    """Barge-in: speech onset to silence; stale messages after the flush."""

    async def go() -> dict[str, Any]:
        async with a_stack(url) as (where, _):
            return await measure_barge_in(
                where, avatar, interruptions=interruptions, key=key, progress=stderr.print
            )

    run(go(), json)


@app.command()
def load(
    sessions: Annotated[int, typer.Option(help="People who talk at once.")] = 4,
    seconds: Annotated[float, typer.Option(help="For how long each.")] = 60,
    avatar: AvatarName = DEFAULT_AVATAR,
    url: Url = "",
    key: Key = "",
    json: Json = None,
) -> None:
    """Several people at once: latency, frames a second, gaps in the sound."""

    async def go() -> dict[str, Any]:
        async with a_stack(url) as (where, _):
            return await measure_load(
                where, avatar, sessions=sessions, seconds=seconds, key=key, progress=stderr.print
            )

    run(go(), json)


@app.command()
def idle(
    sessions: Annotated[int, typer.Option(help="Silent sessions.")] = 4,
    seconds: Annotated[float, typer.Option(help="For how long.")] = 20,
    avatar: AvatarName = DEFAULT_AVATAR,
    json: Json = None,
) -> None:
    """What a silent session costs the server."""

    async def go() -> dict[str, Any]:
        async with a_stack("") as (where, stack):
            assert stack is not None
            return await measure_idle(where, avatar, stack.pids(), sessions=sessions, seconds=seconds)

    run(go(), json)


@app.command()
def hops(
    number: Annotated[int, typer.Option(help="How many.")] = 2000,
    json: Json = None,
) -> None:
    """One hop through Redis: publish to delivered."""
    run(hop_latency(Settings().redis_url, number), json)


@app.command()
def watermark(
    clips: Annotated[int, typer.Option(help="Answers that are marked.", min=4)] = 40,
    patterns: Annotated[int, typer.Option(help="Patterns tried on unmarked speech.", min=1)] = 8,
    json: Json = None,
) -> None:
    """The inaudible mark after codecs, noise and cuts; in unmarked speech; and how little it is heard."""
    result = measure_watermark(Settings().avatars_dir, clips=clips, patterns=patterns, progress=stderr.print)
    table = Table("what happened to the answer", "found", "wrong payload", "score: median", "least")
    for name, row in result["attacks"].items():
        score = row["score"]
        table.add_row(
            name, f"{row['found']:.0%}", f"{row['wrong']:.0%}", str(score["median"]), str(score["min"])
        )
    Console().print(table)
    report({**result, "rows": result.pop("attacks")}, json)


@app.command(name="all")
def all_of_them(
    turns: Annotated[int, typer.Option(help="Spoken turns, and interruptions.")] = 20,
    out: Annotated[Path, typer.Option(help="Where the whole result goes.")] = Path("artifacts/bench.json"),
    avatar: AvatarName = DEFAULT_AVATAR,
) -> None:
    """Everything in one run, on one stack of our own: about ten minutes."""

    async def go() -> dict[str, Any]:
        say = stderr.print
        async with a_stack("") as (where, stack):
            assert stack is not None
            return {
                "latency": await measure_latency(where, avatar, turns=turns, progress=say),
                "barge": await measure_barge_in(where, avatar, interruptions=turns, progress=say),
                "load": await measure_load(where, avatar, sessions=4, seconds=60, progress=say),
                "idle": await measure_idle(where, avatar, stack.pids(), sessions=4, seconds=20),
                "hops": await hop_latency(stack.redis_url, 2000),
            }

    run(go(), out)


@app.command()
def face(
    avatar: AvatarName = DEFAULT_AVATAR,
    engine: Annotated[str, typer.Option(help="auto (as the manifest says), gan or visemes.")] = "auto",
    seconds: Annotated[int, typer.Option(help="Of speech.", min=1)] = 12,
    quality: Annotated[
        bool, typer.Option(help="Quality on held-out clips beside baselines instead (needs PyTorch).")
    ] = False,
    run: Annotated[Path, typer.Option(help="The run's YAML whose quality it is.")] = Path(
        "training/configs/sda-128.yaml"
    ),
    json: Annotated[bool, typer.Option("--json", help="Quality as JSON; speed always is.")] = False,
) -> None:
    """Frames a second on one core: decoder alone, and from sound to H.264; or quality beside baselines."""
    command = ["services.sda.bench", "--avatar", avatar, "--engine", engine, "--seconds", str(seconds)]
    if quality:
        command = ["training.sda.evaluate", str(run), *(["--json"] if json else [])]
    # In a process of its own: layers stay apart, and its peak memory is its own.
    raise typer.Exit(subprocess.run([sys.executable, "-m", *command], check=False).returncode)


@app.command()
def voice(
    voices: Annotated[list[str], typer.Argument(help="Folders of trained voices, or embedded voices.")],
    reference: Annotated[str, typer.Option(help="Whom they are compared with.")] = "festival/slt",
    sentences: Annotated[int, typer.Option(help="How many of the 30.", min=1)] = 30,
    whisper: Annotated[str, typer.Option(help="Folder of a CTranslate2 Whisper that listens, too.")] = "",
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Voices on sentences they never learnt: distortion, pitch, word errors, likeness, opinion, speed."""
    options = ["--reference", reference, "--sentences", str(sentences), *(["--json"] if json else [])]
    options += ["--whisper", whisper] if whisper else []
    command = [sys.executable, "-m", "training.tts.evaluate", *voices, *options]
    raise typer.Exit(subprocess.run(command, check=False).returncode)
