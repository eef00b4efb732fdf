"""What may soon have to be answered, told to whoever listens over Redis's publish and subscribe.

Nothing is kept and nothing is owed: where no mind makes use of it, it costs one command now and then.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from parley.chain.connection import carrier, connect
from parley.errors import ChainUnavailable
from proto.parley.v1 import chain_pb2 as pb

CHANNEL: Final = "foreseen"
POLL_S: Final = 1.0
RETRY_S: Final = 2.0
TAKEN_MS: Final = 5000


def claim_key(turn: pb.Turn) -> str:
    """The key that the first listener of this very hint sets."""
    return f"foreseen:{turn.trace.session}:{turn.created_unix_ms}"


def taken_back(turn: pb.Turn) -> pb.Turn:
    """The same without anything to read: whoever works on an earlier hint of the session may stop."""
    return pb.Turn(trace=turn.trace, avatar=turn.avatar)


async def hints(url: str, closed: asyncio.Event) -> AsyncIterator[pb.Turn]:
    """All hints from now on, until `closed`; those that come while Redis is away are lost.

    Args:
        url: Redis.
        closed: Ends it within a second.
    """
    client = connect(url, blocking=True)
    try:
        while not closed.is_set():
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as channel:
                    async with carrier(url):
                        await channel.subscribe(CHANNEL)
                    while not closed.is_set():
                        async with carrier(url, blocking=True):
                            message = await channel.get_message(timeout=POLL_S)
                        if message is not None:
                            yield pb.Turn.FromString(message["data"])
            except ChainUnavailable:
                await asyncio.sleep(RETRY_S)  # the worker beside it says what is wrong
    finally:
        await client.aclose()
