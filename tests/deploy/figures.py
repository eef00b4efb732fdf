"""`python -m tests.deploy.figures`: what the images cost, and how long `docker compose up` needs to speak.

Prints JSON: seconds to build each image, its size, and seconds from `docker compose up` to healthy and to the
end of the first spoken answer, cold (containers, networks and volumes are made) and warm (they start again).
Needs Docker with Compose v2.
"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from parley.supervisor import Ports
from tests.deploy.test_compose import OURS, Composed

app = typer.Typer(help=__doc__, add_completion=False)
say = Console(stderr=True).print


def image_mb(service: str) -> float:
    """Megabytes of an image, all of its layers."""
    command = ["docker", "image", "inspect", "-f", "{{.Size}}", f"parley-test-{service}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    return round(int(done.stdout) / 1e6, 1)


def build(stack: Composed, *, no_cache: bool) -> dict[str, Any]:
    """Builds one image after the other.

    Args:
        stack: The project.
        no_cache: Use no layer that was built before; downloads stay cached.
    """
    images: dict[str, Any] = {}
    for service in OURS:
        began = time.monotonic()
        stack.compose("build", *(["--no-cache"] if no_cache else []), service)
        images[service] = {"build_s": round(time.monotonic() - began, 1), "mb": image_mb(service)}
        say(service, images[service])
    return images


def start(stack: Composed, *command: str) -> dict[str, Any]:
    """Starts the stack with `command`, asks a recorded question, and asks again."""
    began = time.monotonic()
    stack.compose(*command)
    healthy_s = time.monotonic() - began
    with tempfile.TemporaryDirectory() as folder:
        first = stack.talk(Path(folder))
        answered_s = time.monotonic() - began
        second = stack.talk(Path(folder))
    return {
        "healthy_s": round(healthy_s, 1),
        "first_answer_heard_s": round(answered_s, 1),
        "first_sound_ms": [round(answer["latency_ms"]["first_audio"]) for answer in (first, second)],
        "answer_s": round(first["audio_ms"] / 1000, 1),
        "frames": first["frames"],
        "engines": first["engines"],
        "reply": first["reply"],
    }


@app.command()
def main(
    no_cache: Annotated[bool, typer.Option(help="Build as if nothing had been built before.")] = False,
    out: Annotated[Path, typer.Option(help="The JSON, too.")] = Path("artifacts/compose.json"),
) -> None:
    """Builds, starts, talks, and takes everything down again."""
    stack = Composed(Ports.free().gateway)
    figures: dict[str, Any] = {"images": build(stack, no_cache=no_cache)}
    try:
        figures["cold"] = start(stack, "up", "-d", "--wait")
        say("cold", figures["cold"])
        stack.compose("stop", "--timeout", "15")
        figures["warm"] = start(stack, "up", "-d", "--wait", "--no-recreate")
        say("warm", figures["warm"])
    finally:
        stack.compose("down", "-v", "--timeout", "5")
    figures["load of the machine at the end"] = round(os.getloadavg()[1], 1)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=1) + "\n")
    print(out.read_text(), end="")


if __name__ == "__main__":
    app()
