"""Helpers for asyncio."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Iterator

import pytest

from parley.aio import Signal, iterate_in_thread, wait_event, with_signs_of_life


async def eventually(condition) -> None:
    """Waits for something that a thread does."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_items_come_in_order_from_another_thread() -> None:
    threads = set()

    def numbers() -> Iterator[int]:
        for number in range(5):
            threads.add(threading.get_ident())
            yield number

    assert [number async for number in iterate_in_thread(numbers)] == [0, 1, 2, 3, 4]
    assert threading.get_ident() not in threads


async def test_the_generator_works_one_item_ahead_and_no_further() -> None:
    made: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = iterate_in_thread(numbers)
    assert await anext(items) == 0
    await eventually(lambda: made == [0, 1])
    await asyncio.sleep(0.02)
    assert made == [0, 1]
    await items.aclose()


async def test_stopping_closes_the_generator() -> None:
    closed = threading.Event()

    def numbers() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    items = iterate_in_thread(numbers)
    await anext(items)
    await items.aclose()
    await eventually(closed.is_set)


async def test_a_cancelled_consumer_does_not_wait_for_the_step_but_the_generator_is_closed() -> None:
    closed, go_on, begun = threading.Event(), threading.Event(), threading.Event()

    def numbers() -> Iterator[int]:
        try:
            begun.set()
            go_on.wait(5)
            yield 1
        finally:
            closed.set()

    task = asyncio.ensure_future(anext(iterate_in_thread(numbers)))
    await eventually(begun.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not closed.is_set()
    go_on.set()
    await eventually(closed.is_set)


async def test_errors_come_through() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise LookupError("no two")

    items = iterate_in_thread(numbers)
    assert await anext(items) == 1
    with pytest.raises(LookupError, match="no two"):
        await anext(items)


async def test_an_error_after_the_consumer_left_is_not_shouted_about() -> None:
    go_on, ended = threading.Event(), threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        go_on.wait(5)
        ended.set()
        raise LookupError("late")

    items = iterate_in_thread(numbers)
    await anext(items)
    await items.aclose()
    go_on.set()
    await eventually(ended.is_set)
    await asyncio.sleep(0.01)


async def test_the_callers_context_is_seen() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    name.set("mira")

    def names() -> Iterator[str]:
        yield name.get()
        yield name.get()

    assert [each async for each in iterate_in_thread(names)] == ["mira", "mira"]


async def test_signal_wakes_those_whose_condition_holds() -> None:
    signal, value = Signal(), 0
    first = asyncio.create_task(signal.wait_for(lambda: value >= 1))
    second = asyncio.create_task(signal.wait_for(lambda: value >= 2))
    await asyncio.sleep(0)
    value = 1
    signal.notify()
    await asyncio.wait_for(first, 1)
    assert not second.done()
    second.cancel()
    await asyncio.wait([second])
    signal.notify()
    await asyncio.wait_for(signal.wait_for(lambda: True), 1)


async def test_wait_event_is_bounded() -> None:
    event = asyncio.Event()
    assert not await wait_event(event, 0.001)
    event.set()
    assert await wait_event(event, 1)


async def test_signs_of_life_fill_the_waiting_and_lose_no_item() -> None:
    async def slow() -> AsyncGenerator[int, None]:
        yield 1
        await asyncio.sleep(0.1)
        yield 2

    found = [item async for item in with_signs_of_life(slow(), every_s=0.01, sign=lambda: 0)]
    assert found[0] == 1 and found[-1] == 2
    assert set(found[1:-1]) == {0}


async def test_closing_while_waiting_for_an_item_closes_its_source() -> None:
    closed = asyncio.Event()

    async def stuck() -> AsyncGenerator[int, None]:
        try:
            await asyncio.sleep(60)
            yield 1
        finally:
            closed.set()

    items = with_signs_of_life(stuck(), every_s=0.01, sign=lambda: 0)
    assert await anext(items) == 0
    await items.aclose()
    assert closed.is_set()


async def test_a_failure_comes_through_the_signs_of_life() -> None:
    async def failing() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("broken")

    items = with_signs_of_life(failing(), every_s=1, sign=lambda: 0)
    assert await anext(items) == 1
    with pytest.raises(ValueError, match="broken"):
        await anext(items)
