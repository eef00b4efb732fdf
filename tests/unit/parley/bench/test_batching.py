from parley.bench.batching import SIZES, compare


def test_a_batch_is_told_beside_the_work_alone() -> None:
    now = 0.0

    def work(size: int) -> None:
        nonlocal now
        now += 0.010 + 0.002 * size  # ten milliseconds a batch, two for each

    rows = compare(work, repeats=3, clock=lambda: now)
    assert [row["batch"] for row in rows] == list(SIZES)
    assert [row["ms_each"] for row in rows] == [12, 7, 4.5, 3.25]
    assert [row["over_alone"] for row in rows] == [1, 0.583, 0.375, 0.271]
