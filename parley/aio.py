"""Small asyncio helpers that several rooms share."""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from typing import Final, TypeVar

T = TypeVar("T")


class _End:
    """Marks the end of a sync iterator: StopIteration cannot travel through a future."""


_END: Final = _End()


async def iterate_in_thread(
    factory: Callable[[], Iterator[T]], *, executor: Executor | None = None
) -> AsyncIterator[T]:
    """Runs a blocking generator in a thread and yields what it yields.

    The thread works one item ahead of the consumer and no further. When the consumer stops (break, cancel,
    error) the generator is closed in the thread, right after the step that it is in; that step is not
    waited for, so that an interruption is quick however slow the step. The caller's context variables are
    seen by the generator.

    Args:
        factory: Makes the generator; called in the thread.
        executor: Where to run; None: the loop's default threads.

    Raises:
        Exception: Whatever the generator raises.
    """
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    made: list[Iterator[T]] = []

    def step() -> T | _End:
        if not made:
            made.append(factory())
        return next(made[0], _END)

    def close() -> None:
        close_generator = getattr(made[0], "close", None) if made else None
        if close_generator is not None:
            close_generator()

    def submit() -> asyncio.Future[T | _End]:
        return loop.run_in_executor(executor, context.run, step)

    ahead = submit()
    ended = False
    try:
        while True:
            # Shielded: cancelling must not lose the step in flight, or nobody would know when to close.
            item = await asyncio.shield(ahead)
            if isinstance(item, _End):
                ended = True
                return
            ahead = submit()
            yield item
    finally:
        if not ended:
            ahead.add_done_callback(lambda done: _close_after(done, loop, executor, context, close))


def _close_after(
    done: "asyncio.Future[T | _End]",
    loop: asyncio.AbstractEventLoop,
    executor: Executor | None,
    context: contextvars.Context,
    close: Callable[[], None],
) -> None:
    """Closes the generator once its last step is over."""
    if done.cancelled() or done.exception() is not None or isinstance(done.result(), _End):
        return  # the generator has ended by itself
    loop.run_in_executor(executor, context.run, close)


async def with_signs_of_life(
    items: AsyncGenerator[T, None], *, every_s: float, sign: Callable[[], T]
) -> AsyncGenerator[T, None]:
    """Yields what `items` yields, and `sign()` each time that it has yielded nothing for `every_s`.

    Closing it closes `items`, a step in flight included.
    """

    async def step() -> T | _End:
        return await anext(items, _END)

    coming = asyncio.create_task(step())
    try:
        while True:
            await asyncio.wait({coming}, timeout=every_s)
            if not coming.done():
                yield sign()
                continue
            item = coming.result()
            if isinstance(item, _End):
                return
            yield item
            coming = asyncio.create_task(step())
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        await items.aclose()


class Signal:
    """Wakes everyone who waits for a condition, from plain (not async) code on the same event loop."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Makes all waiters look at their condition again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait_for(self, condition: Callable[[], bool]) -> None:
        """Waits until `condition` holds; it is asked at once and after every `notify`."""
        while not condition():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)


async def wait_event(event: asyncio.Event, timeout_s: float) -> bool:
    """Waits until `event` is set, for at most `timeout_s` seconds; returns whether it is."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
