"""`parley data review`: the correction page."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer


def review(
    config: Annotated[Path, typer.Argument(help="The subject's YAML.")],
    host: Annotated[str, typer.Option(help="A loopback address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: any free one.", min=0, max=65535)] = 8090,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Correct what was heard, in the browser, at /studio/review; Ctrl-C stops the server."""
    from training.data.store import Corpus
    from training.data.subject import load_subject
    from training.studio.app import create_app
    from training.studio.server import serve

    subject = load_subject(config)

    def ready(address: str) -> None:
        print(f"Review {subject.name}: {address}", flush=True)
        if open_browser:
            webbrowser.open(address)

    serve(create_app(Corpus(subject.corpus), subject.name), host, port, ready)
