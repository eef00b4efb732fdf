"""`python -m tests.load`: runs sweeps, draws the report, writes the knees into the documents."""

import asyncio
import contextlib
import os
import platform
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console

from parley.settings import is_loopback
from parley.supervisor import SERVICES, Ports, Stack
from tests.load.asr import AsrLoad
from tests.load.document import with_knees
from tests.load.page import page
from tests.load.phases import Report, joined
from tests.load.sda import SdaLoad
from tests.load.speech import prompts
from tests.load.sweep import Plan, Scenario, run_sweep
from tests.load.talk import TalkLoad
from tests.load.tts import TtsLoad

app = typer.Typer(no_args_is_help=True, help=__doc__, add_completion=False)
say = Console(stderr=True).print
ALL = ("asr", "tts", "sda", "talk")


@dataclass(frozen=True, slots=True)
class Target:
    """What is put under load.

    Attributes:
        url: The gateway.
        ports: The services' gRPC ports, on this machine.
        pids: Process by name; empty: not ours.
    """

    url: str
    ports: Ports
    pids: dict[str, int]

    def scenario(self, what: str, avatar: str, key: str, human: bool) -> Scenario:
        """The scenario of that name."""
        match what:
            case "asr":
                return AsrLoad(f"127.0.0.1:{self.ports.asr}", human=human)
            case "tts":
                return TtsLoad(f"127.0.0.1:{self.ports.tts}", avatar)
            case "sda":
                return SdaLoad(f"127.0.0.1:{self.ports.sda}", avatar)
            case "talk":
                return TalkLoad(self.url, avatar, key)
        raise typer.BadParameter(f"{what!r} is none of: {', '.join(ALL)}.")

    def pids_of(self, scenario: Scenario) -> list[int] | None:
        """The processes whose time is counted."""
        return [self.pids[name] for name in scenario.processes if name in self.pids] or None


@contextlib.asynccontextmanager
async def target(url: str, engine: str, most: int, log_dir: Path) -> AsyncIterator[Target]:
    """The server at `url` with the usual ports, or a stack of our own on free ones."""
    if url:
        if not is_loopback(urlsplit(url).hostname or ""):
            raise typer.BadParameter("Only a server on this machine is put under load.")
        yield Target(url, Ports(), {})
        return
    env = {"PARLEY_REDIS_URL": "", "PARLEY_GATEWAY_MAX_SESSIONS": str(most + 1), "PARLEY_ASR_WARM": str(most)}
    if engine:
        env |= {f"PARLEY_{name.upper()}_ENGINE": engine for name in SERVICES}
    async with Stack(Ports.free(), env=env, log_dir=log_dir, say=say, maker=False) as stack:
        await stack.wait_ready(timeout_s=180)
        running = {name: child.process for name, child in stack.children.items()}
        yield Target(stack.url, stack.ports, {name: p.pid for name, p in running.items() if p is not None})


@app.command()
def run(
    what: Annotated[
        list[str] | None, typer.Option(help=f"Which of {', '.join(ALL)}; repeatable; default: all.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Of each phase, without its ramp-up.", min=1, max=600)] = 30,
    most: Annotated[int, typer.Option(help="Clients at most.", min=1, max=64)] = 16,
    clients: Annotated[
        list[int] | None,
        typer.Option(help="Exactly these numbers, repeatable; default: up to the knee.", min=1, max=64),
    ] = None,
    avatar: Annotated[str, typer.Option(help="Who answers.")] = "mira",
    human: Annotated[
        bool, typer.Option(help="Recordings of people among what the ears hear, or questions only.")
    ] = True,
    engine: Annotated[str, typer.Option(help="For all services; empty: as they are configured.")] = "",
    url: Annotated[str, typer.Option(help="A gateway on this machine; empty: a stack of our own.")] = "",
    key: Annotated[str, typer.Option(envvar="PARLEY_API_KEY", help="API key, if it wants one.")] = "",
    out: Annotated[Path, typer.Option(help="Folder for load.json, load.html and logs.")] = Path(
        "artifacts/load"
    ),
) -> None:
    """Sweeps over the number of clients; writes load.json and load.html."""
    chosen = tuple(what or ALL)
    plan = Plan(seconds, max(clients or [most]), tuple(sorted(clients or ())))

    async def go() -> Report:
        prompts(human=True)
        prompts(human=False)
        sweeps = []
        async with target(url, engine, plan.most, out / "logs") as aim:
            for name in chosen:
                scenario = aim.scenario(name, avatar, key, human)
                sweeps.append(await run_sweep(scenario, plan, pids=aim.pids_of(scenario), progress=say))
        return Report(taken=datetime.now(UTC).isoformat(timespec="seconds"), machine=machine(), sweeps=sweeps)

    out.mkdir(parents=True, exist_ok=True)
    report = asyncio.run(go())
    (out / "load.json").write_text(report.model_dump_json(indent=2) + "\n")
    draw(out / "load.json")
    for sweep in report.sweeps:
        print(f"{sweep.what}: knee {sweep.knee}{'' if sweep.knee_reached else ' or more'}")
    if any(phase.faults.get("leak") for sweep in report.sweeps for phase in sweep.phases):
        raise typer.Exit(1)


def read(file: Path) -> Report:
    """A report that was written before."""
    return Report.model_validate_json(file.read_text(), extra="ignore")


@app.command()
def draw(file: Annotated[Path, typer.Argument(help="A load.json.")]) -> None:
    """Draws the page beside it."""
    html = file.with_suffix(".html")
    html.write_text(page(read(file)))
    say(f"{html}")


@app.command()
def document(
    files: Annotated[
        list[Path], typer.Argument(help="load.json; of several the last one with a sweep counts.")
    ],
    into: Annotated[Path, typer.Option(help="The document with the marks.")] = Path("docs/capacity.md"),
) -> None:
    """Writes the knees into the document's table."""
    into.write_text(with_knees(into.read_text(), joined([read(file) for file in files])))


def machine() -> str:
    """Cores and processor."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return f"{os.cpu_count()} cores of {names[0] if names else platform.machine()}"


if __name__ == "__main__":
    app()
