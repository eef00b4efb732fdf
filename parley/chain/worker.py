"""A worker: takes items of one stage from the chain, works on several at once, never loses one silently."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from parley.chain.interface import Chain, Claim, Stage
from parley.chain.pieces import error_piece
from parley.errors import LostClaim, ParleyError, StaleGeneration
from parley.telemetry import logs, metrics, tracing

log = logging.getLogger(__name__)

Handle = Callable[[Claim], Awaitable[None]]


async def run_worker(
    chain: Chain,
    stage: Stage,
    handle: Handle,
    *,
    consumer: str,
    capacity: int,
    drain_s: float = 5.0,
    stop: asyncio.Event | None = None,
) -> None:
    """Works until `stop` is set or the task is cancelled; then items that run get `drain_s` seconds to
    finish.

    What still runs after that is given up, and another worker takes it over.

    Args:
        chain: Where items come from.
        stage: Whose items.
        handle: Works off one claim. A ParleyError from it ends the reply with an error piece of that code,
            anything else unexpected with "internal_error"; StaleGeneration and LostClaim end it quietly.
        consumer: Name of this worker; no two living workers of a stage may share it.
        capacity: Items worked on at once.
        drain_s: Seconds.
        stop: Ends the work without cancelling.
    """
    stop = stop or asyncio.Event()
    running: set[asyncio.Task[None]] = set()
    async with asyncio.TaskGroup() as group:

        async def take() -> None:
            async for claim in chain.claims(stage, consumer=consumer, capacity=capacity):
                task = group.create_task(_work(chain, stage, handle, claim))
                running.add(task)
                task.add_done_callback(running.discard)

        taking = group.create_task(take())
        try:
            stopped = asyncio.ensure_future(stop.wait())
            try:
                await asyncio.wait({taking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
        finally:  # also when cancelled: a drain is bounded, and half a reply helps nobody
            taking.cancel()
            if running:
                log.info("draining", extra={"stage": stage, "items": len(running), "seconds": drain_s})
                await asyncio.wait(running, timeout=drain_s)
            for task in running:
                task.cancel()


async def _work(chain: Chain, stage: Stage, handle: Handle, claim: Claim) -> None:
    """Works off one item, and ends it whatever happens."""
    trace = claim.item.trace
    with logs.bind(session=trace.session, turn=trace.turn, generation=trace.generation):
        try:
            with tracing.stage(stage.value, trace, taken_over=claim.taken_over):
                await _handled(stage, handle, claim)
            await chain.done(claim)
        except asyncio.CancelledError:
            await _given_up(chain, claim)
            raise
        except ParleyError as error:
            log.warning(
                "the chain was lost while ending an item", extra={"stage": stage, "reason": str(error)}
            )
            await _given_up(chain, claim)


async def _handled(stage: Stage, handle: Handle, claim: Claim) -> None:
    """Runs the handler; its failure becomes an error piece."""
    try:
        await handle(claim)
        return
    except (StaleGeneration, LostClaim) as ended:
        log.debug("item ended early", extra={"stage": stage, "reason": ended.code})
        if isinstance(ended, StaleGeneration):
            metrics.count_generation_drop(stage)
        return
    except ParleyError as error:
        log.warning("item failed", extra={"stage": stage, "code": error.code, "reason": str(error)})
        code, message = error.code, str(error)
    except Exception as error:  # the top level of an item: one bad reply must not end the worker
        log.exception("item failed unexpectedly", extra={"stage": stage})
        code = "internal_error"
        message = f"The {stage} stage failed unexpectedly ({type(error).__name__}); its log has the details."
    metrics.count_failed(stage, code)
    try:
        seq = max((entry.seq for entry in await claim.published()), default=0) + 1
        await claim.publish(seq, error_piece(stage, code, message))
    except (StaleGeneration, LostClaim):
        log.debug("nobody waits for this failure any more", extra={"stage": stage})


async def _given_up(chain: Chain, claim: Claim) -> None:
    """Hands an unfinished item back; if that fails too, its silence lets another worker take it over."""
    try:
        async with asyncio.timeout(1):
            await chain.release(claim)
    except (ParleyError, TimeoutError) as error:
        log.warning("an unfinished item could not be handed back", extra={"reason": str(error)})
