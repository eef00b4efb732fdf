"""`parley up` and `parley demo`: the stack with a person watching."""

import asyncio
import os
import signal
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from parley.cli.talk import print_talk, talk_once
from parley.errors import ServiceUnavailable
from parley.supervisor import Ports, Stack


def ports_from_environment() -> Ports:
    """The public ports, each replaced by PARLEY_{NAME}_PORT or PARLEY_{NAME}_METRICS_PORT where set."""
    ports = {
        name: int(os.environ[variable])
        for name in Ports.__dataclass_fields__
        if (variable := f"PARLEY_{name.upper()}_PORT") in os.environ
    }
    return Ports(**ports)


async def run_stack(
    *,
    open_browser: bool = False,
    questions: Sequence[tuple[Path, Path]] = (),
    avatar: str = "mira",
    stay: bool = True,
) -> None:
    """Starts everything, asks recorded questions if there are any, and runs until Ctrl-C or SIGTERM.

    Args:
        open_browser: Open the page once it is ready.
        questions: Recordings to ask first, each with where its answer goes.
        avatar: Who answers.
        stay: False: stop after the answers.

    Raises:
        ParleyError: Something is missing or does not start; the message says what and the fix.
    """
    console = Console()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    again = asyncio.Event()
    loop.add_signal_handler(signal.SIGHUP, again.set)
    stack = Stack(
        ports_from_environment(), say=lambda line: console.print(line, markup=False, highlight=False)
    )
    async with stack:
        with console.status("Starting Redis, ears, mind, voice, face and gateway…"):
            ready = asyncio.create_task(stack.wait_ready())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({ready, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if stop.is_set():
                ready.cancel()
                return
            services = ready.result().get("services", {})
        engines = (
            ", ".join(f"{n} {s['engine']}" for n, s in services.items()) if isinstance(services, dict) else ""
        )
        console.print(f"Ready ({engines}).", highlight=False)
        for question, out in questions:
            console.print(f"\nAsking {question.name} …", highlight=False)
            print_talk(await talk_once(question, out, avatar=avatar, url=stack.url), console)
        if not stay:
            return
        console.print(f"\nOpen [bold]{stack.url}[/] and talk. Ctrl-C stops everything; logs: {stack.log_dir}")
        if open_browser:
            webbrowser.open(stack.url)
        rolling = asyncio.create_task(_roll_when_asked(stack, again))
        await stop.wait()
        rolling.cancel()
        await asyncio.gather(rolling, return_exceptions=True)
        console.print("Stopping…")


async def _roll_when_asked(stack: Stack, again: asyncio.Event) -> None:
    """Restarts everything in turn at each SIGHUP; people who talk notice nothing."""
    while True:
        await again.wait()
        again.clear()
        try:
            await stack.roll()
        except ServiceUnavailable as error:
            stack.say(str(error))
