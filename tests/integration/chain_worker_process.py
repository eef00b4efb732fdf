"""A worker in a process of its own: publishes clauses "1" to "N", slowly. For the tests that kill it.

`python -m tests.integration.chain_worker_process URL CONSUMER N PAUSE_MS`
Prints a line when an item is claimed and when its work ends, and how.
"""

import asyncio
import sys

from parley.chain.interface import Claim, Stage
from parley.chain.redis import RedisChain
from parley.chain.worker import run_worker
from parley.errors import ParleyError
from proto.parley.v1 import chain_pb2 as pb


async def main(url: str, consumer: str, pieces: int, pause_ms: int) -> None:
    """Works until killed."""

    async def llm(claim: Claim) -> None:
        print("claimed", flush=True)
        try:
            for seq in range(1, pieces + 1):
                await claim.publish(seq, pb.TextPiece(text=str(seq), last=seq == pieces))
                await asyncio.sleep(pause_ms / 1000)
        except ParleyError as error:
            print(error.code, flush=True)
            raise
        print("finished", flush=True)

    await run_worker(RedisChain(url), Stage.LLM, llm, consumer=consumer, capacity=4)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
