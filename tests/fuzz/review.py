"""`python -m tests.fuzz.review --seconds 60`: schemathesis against the review page's API.

On a small corpus of its own, whose clips most requests name. No request may get a server error; the exit
status is schemathesis'.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvicorn

from tests.unit.training.studio import corpus as small
from training.data.store import Corpus, Review
from training.studio.app import create_app
from training.studio.server import listen


def naming(schema: dict[str, Any], corpus: Corpus) -> dict[str, Any]:
    """The schema, with the ids of the corpus' clips beside any other text where a clip is to be named."""
    ids = [edit.clip.id for edit in Review(corpus).queue()]
    for operations in schema["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "clip":
                    parameter["schema"] = {"anyOf": [{"enum": ids}, {"type": "string", "minLength": 1}]}
    return schema


async def fuzz(seconds: int, folder: Path) -> int:
    """Serves a corpus and lets schemathesis at it."""
    corpus = small.build(folder / "corpus")
    app = create_app(corpus, "fuzzed")
    listener = listen("127.0.0.1", 0)
    schema = folder / "openapi.json"
    schema.write_text(json.dumps(naming(app.openapi(), corpus)))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    run = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("run", str(schema), "--url", f"http://127.0.0.1:{listener.getsockname()[1]}"),
        *("--checks", "not_a_server_error", "--max-time", str(seconds), "--request-timeout", "10"),
    )
    try:
        async with asyncio.timeout(seconds + 120):
            return await run.wait()
    except TimeoutError:
        run.kill()
        await run.wait()
        return 1
    finally:
        server.should_exit = True
        await serving


def main() -> int:
    """Fuzzes for some time. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.review", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="when to stop")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(fuzz(seconds, Path(folder)))


if __name__ == "__main__":
    sys.exit(main())
