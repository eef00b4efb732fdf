"""`python -m tests.fuzz.http --seconds 60`: schemathesis against the gateway's own OpenAPI.

On a stack of its own whose services run the engine `fake`. No request may get a server error; the exit status
is schemathesis'.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from parley.supervisor import SERVICES, Ports, Stack

LOGS = Path("artifacts/logs/fuzz")


async def fuzz(seconds: int) -> int:
    """Starts the stack and lets schemathesis at it."""
    env = {"PARLEY_REDIS_URL": "", **{f"PARLEY_{name.upper()}_ENGINE": "fake" for name in SERVICES}}
    async with Stack(Ports.free(), env=env, log_dir=LOGS, say=print) as stack:
        await stack.wait_ready()
        run = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("schemathesis"),
            *("run", f"{stack.url}/openapi.json", "--checks", "not_a_server_error"),
            *("--max-time", str(seconds), "--request-timeout", "10"),
        )
        try:
            async with asyncio.timeout(seconds + 120):
                return await run.wait()
        except TimeoutError:
            run.kill()
            await run.wait()
            return 1


def main() -> int:
    """Fuzzes for some time. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.http", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="when to stop")
    return asyncio.run(fuzz(parser.parse_args().seconds))


if __name__ == "__main__":
    sys.exit(main())
