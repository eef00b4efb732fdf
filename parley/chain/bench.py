"""How long one hop takes: from a stage's publish to the piece in the hands of a subscriber."""

import asyncio
import time
import uuid
from statistics import quantiles

from redis.asyncio import Redis

from parley.chain import keys, scripts
from parley.chain.connection import carrier, connect
from parley.chain.interface import Stage, Track
from parley.chain.redis import RedisChain
from proto.parley.v1 import chain_pb2 as pb

PAYLOAD_BYTES = (1_000, 2_000, 5_000, 10_000, 20_000, 40_000)  # a clause … a video piece
PAUSE_S = 0.004


async def hop_latency(redis_url: str, n: int) -> dict[str, float]:
    """Publishes `n` pieces of 1 to 40 kB through the fencing script and reads them as a gateway does.

    A session of its own is used, so a running system is not disturbed, but its load is felt.

    Args:
        redis_url: Redis to measure.
        n: Number of hops, at least 2.

    Returns:
        `median_ms`, `p95_ms`, `p99_ms` and `max_ms`, and the number of hops `n`.

    Raises:
        ChainUnavailable: Redis does not answer.
    """
    session = f"bench-{uuid.uuid4().hex}"
    chain, writer = RedisChain(redis_url), connect(redis_url)
    sent = [0.0] * (n + 1)
    took_ms: list[float] = []
    await chain.start()
    try:
        entries = chain.subscribe(session, [Track.AUDIO])
        await chain.flush(session, 1)

        async def receive() -> None:
            async for entry in entries:
                if entry.piece is not None:
                    took_ms.append((time.perf_counter() - sent[entry.seq]) * 1000)
                if entry.seq == n:
                    return

        receiving = asyncio.create_task(receive())
        try:
            await _publish(redis_url, writer, session, n, sent)
            await asyncio.wait_for(receiving, 5)
        finally:
            receiving.cancel()
        await chain.close_session(session)
    finally:
        await writer.aclose()
        await chain.close()
    cuts = quantiles(took_ms, n=100, method="inclusive")
    return {
        "n": float(n),
        "median_ms": cuts[49],
        "p95_ms": cuts[94],
        "p99_ms": cuts[98],
        "max_ms": max(took_ms),
    }


async def _publish(redis_url: str, writer: "Redis", session: str, n: int, sent: list[float]) -> None:
    """Publishes as a tts worker would that owns the session's reply; notes when in `sent`."""
    token = uuid.uuid4().hex
    publish = writer.register_script(scripts.PUBLISH)
    names = [keys.session_key(session), keys.output_key(session, Track.AUDIO)]
    await writer.hset(names[0], f"owner:{Stage.TTS}", token)
    for seq in range(1, n + 1):
        pcm = bytes(PAYLOAD_BYTES[seq % len(PAYLOAD_BYTES)])
        payload = pb.SpeechPiece(pcm=pcm).SerializeToString()
        sent[seq] = time.perf_counter()
        async with carrier(redis_url):
            await publish(keys=names, args=[1, Stage.TTS.value, token, seq, payload, 60, 1_000])
        await asyncio.sleep(PAUSE_S)
