"""`python -m tests.trace`: asks a stack of its own one question, and draws the trace of its spans.

Fails when a process that worked for the turn left no span in it.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from parley.bench.questions import spoken
from parley.client import TalkClient, ask
from parley.supervisor import Ports, Stack
from parley.telemetry.tracing import ENDPOINT
from tests.trace.picture import picture
from tests.trace.receiver import Receiver, Span

EXPECTED = {"parley-gateway", "parley-llm", "parley-tts", "parley-sda"}

app = typer.Typer(help=__doc__, add_completion=False)


async def asked(receiver: Receiver, text: str, logs: Path) -> tuple[str, list[Span]]:
    """The answer to `text`, and the spans of its trace."""
    env = {"PARLEY_REDIS_URL": "", ENDPOINT: receiver.url}
    async with Stack(Ports.free(), env=env, log_dir=logs, say=lambda line: None, maker=False) as stack:
        await stack.wait_ready()
        async with TalkClient.open(stack.url, "mira") as client:
            await ask(client, spoken("What is your name?", "awb"))  # whoever is asked first loads something
            _, row = await ask(client, spoken(text, "awb"))
            await asyncio.sleep(1)
    roots = [span for span in receiver.spans if span.name == "turn"]
    last = max(roots, key=lambda span: span.start_ns)
    return row["reply"], [span for span in receiver.spans if span.trace == last.trace]


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="The picture; its spans go beside it, as JSON.")] = Path(
        "artifacts/trace.svg"
    ),
    text: Annotated[str, typer.Option(help="What is asked.")] = "How far away is the moon?",
) -> None:
    """Asks and draws."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with Receiver() as receiver:
        reply, spans = asyncio.run(asked(receiver, text, out.parent / "logs" / "trace"))
    out.write_text(picture(spans, title=f"“{text}”"))
    rows = [
        {
            "service": span.service,
            "name": span.name,
            "trace": span.trace.hex(),
            "parent": span.parent.hex(),
            "start_ns": span.start_ns,
            "end_ns": span.end_ns,
            "events": span.events,
        }
        for span in spans
    ]
    out.with_suffix(".json").write_text(json.dumps({"reply": reply, "spans": rows}, indent=1) + "\n")
    silent = EXPECTED - {span.service for span in spans}
    print(f"{len(spans)} spans of {len(EXPECTED - silent)} processes: {out}")
    if silent:
        sys.exit(f"No span came from {', '.join(sorted(silent))}.")


if __name__ == "__main__":
    app()
