"""`parley`: one command for everything."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

from parley.avatars import DEFAULT_AVATAR
from parley.bench.questions import spoken
from parley.cli import doctor as doctor_report
from parley.cli.avatar import app as avatar_app
from parley.cli.bench import app as bench_app
from parley.cli.consent import app as consent_app
from parley.cli.data import app as data_app
from parley.cli.provenance import app as provenance_app
from parley.cli.talk import DEFAULT_QUESTION, print_talk, talk_once
from parley.cli.train import app as train_app
from parley.cli.up import run_stack
from parley.errors import ParleyError
from parley.media.files import write_wav

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Talk, face to face and in real time, to a digital avatar.",
)
app.add_typer(avatar_app, name="avatar", help="Avatars of your own: from a photo, speech and a text.")
app.add_typer(
    bench_app, name="bench", help="Measure: latency, barge-in, load, one Redis hop, an answer's quality."
)
app.add_typer(data_app, name="data", help="Recordings to a corrected corpus, stage by stage.")
app.add_typer(train_app, name="train", help="Train what the services load.")
app.add_typer(consent_app, name="consent", help="Who agreed that an avatar is like them.")
app.add_typer(provenance_app, name="provenance", help="Where a recorded answer comes from: sign, verify.")

Url = Annotated[str, typer.Option(help="Address of the gateway.")]
Key = Annotated[str, typer.Option(envvar="PARLEY_API_KEY", help="API key, if the gateway wants one.")]
AvatarName = Annotated[str, typer.Option(help="Who answers.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


@app.command()
def up(
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Start Redis (if none answers), the services, gateway and maker; Ctrl-C stops them all."""
    asyncio.run(run_stack(open_browser=open_browser))


@app.command()
def talk(
    question: Annotated[Path, typer.Argument(help="A recording of a spoken question (any audio file).")],
    out: Annotated[Path, typer.Option(help="Where the answer goes, as a playable video.")] = Path(
        "answer.mp4"
    ),
    avatar: AvatarName = DEFAULT_AVATAR,
    url: Url = "http://127.0.0.1:8080",
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Speak a recording to an avatar in real time; get its answer as a video."""
    result = asyncio.run(talk_once(question, out, avatar=avatar, url=url, key=key))
    if as_json:
        print(orjson.dumps(result).decode())
    else:
        print_talk(result, Console())


@app.command()
def demo(
    question: Annotated[Path, typer.Option(help="A recording of a person.")] = DEFAULT_QUESTION,
    out: Annotated[Path, typer.Option(help="Where the answer goes.")] = Path("answer.mp4"),
    avatar: AvatarName = DEFAULT_AVATAR,
    stay: Annotated[
        bool, typer.Option(help="Keep running afterwards, for the browser.")
    ] = sys.stdin.isatty(),
) -> None:
    """Start everything, ask a recorded and a synthesised question, write the answers as videos; stay up."""
    with tempfile.TemporaryDirectory() as folder:
        synthesised = Path(folder) / "how-does-this-program-work.wav"
        write_wav(synthesised, spoken("How does this program work?", "slt"))
        second = out.with_stem(f"{out.stem}-synthesised")
        questions = [(question, out), (synthesised, second)]
        asyncio.run(run_stack(questions=questions, avatar=avatar, stay=stay))


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what is installed, what is missing, and how to get it."""
    findings = doctor_report.examine()
    if as_json:
        print(orjson.dumps([f.as_dict() for f in findings]).decode())
    else:
        doctor_report.show(findings, Console())
    if any(f.needed and not f.ok for f in findings):
        raise typer.Exit(1)


def main() -> None:
    """Runs the command line; a ParleyError is told in one line, without a traceback."""
    try:
        app()
    except ParleyError as error:
        Console(stderr=True).print(f"[bold red]parley:[/] {error}", highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
