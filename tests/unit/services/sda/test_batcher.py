"""What many threads ask for is answered together, and each gets its own answer."""

import gc
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.sda.face.batcher import Batcher


def test_threads_share_batches_and_each_gets_its_own() -> None:
    sizes: list[int] = []

    def double(asks: Sequence[int]) -> list[int]:
        sizes.append(len(asks))
        return [2 * ask for ask in asks]

    batcher = Batcher(double, most=4, wait_s=5.0)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda first: batcher([first, first + 1]), (0, 10, 20, 30)))
    assert answers == [[0, 2], [20, 22], [40, 42], [60, 62]]
    assert sizes == [4, 4]  # full batches do not wait


def test_a_batch_that_does_not_fill_goes_after_a_while() -> None:
    batcher = Batcher(list[str], most=100, wait_s=0.01)
    assert batcher(["alone"]) == ["alone"]
    assert batcher([]) == []


def test_what_goes_wrong_is_told_to_those_it_hit_and_the_next_are_served() -> None:
    def picky(asks: Sequence[int]) -> list[int]:
        if 13 in asks:
            raise ValueError("unlucky")
        return list(asks)

    batcher = Batcher(picky, most=1)
    with pytest.raises(ValueError, match="unlucky"):
        batcher([13])
    assert batcher([14]) == [14]


def test_its_thread_ends_when_it_is_forgotten() -> None:
    before = set(threading.enumerate())
    batcher = Batcher(list[int], most=2, wait_s=0.0)
    (mine,) = set(threading.enumerate()) - before
    assert batcher([1]) == [1]
    del batcher
    gc.collect()
    until = time.monotonic() + 20
    while mine.is_alive() and time.monotonic() < until:
        time.sleep(0.01)
    assert not mine.is_alive()
