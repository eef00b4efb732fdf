"""The runner: resumes anywhere, does nothing twice, tells why, stops for the disk only."""

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parley.errors import ConfigError, EngineUnavailable
from tests.unit.training.data import toy_stages
from tests.unit.training.data.toy_stages import stage
from training.data import status
from training.data.jsonl import Busy
from training.data.workspace import Rejected, StorageStopped, Workspace
from training.ledger import LedgerWriter, Shard, entries
from training.pool import StageRun
from training.runner import NotReady, Runner


def numbers(count):
    return lambda: ({"id": str(n), "n": n, "media_s": 2.0} for n in range(count))


def double(item, config, work):
    return [{"id": item["id"], "n": item["n"] * 2 + config.knob}]


def total(item, config, work):
    return [{"id": "sum", "sum": sum(row["n"] for row in item["double"])}]


def counting(calls, run=double):
    def counted(item, config, work):
        calls.append(item["id"])
        return run(item, config, work)

    return counted


def test_rows_flow_and_a_second_run_does_nothing(tmp_path):
    calls: list[str] = []
    stages = [stage("double", counting(calls)), stage("total", total, ("double",), gather=True)]
    for _ in range(2):
        runner = Runner(tmp_path, stages, numbers(10))
        runner.run()
        assert [row["sum"] for row in runner.rows("total")] == [90]
    assert len(calls) == 10


def test_a_run_stopped_at_any_item_goes_on_at_the_next(tmp_path):
    calls: list[str] = []

    def dying(item, config, work):
        if len(calls) in (3, 7):
            calls.append("killed")
            raise KeyboardInterrupt
        calls.append(item["id"])
        return double(item, config, work)

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            Runner(tmp_path, [stage("double", dying)], numbers(10)).run()
    Runner(tmp_path, [stage("double", dying)], numbers(10)).run()
    assert sorted(name for name in calls if name != "killed") == [str(n) for n in range(10)]


def test_a_torn_last_line_is_done_again(tmp_path):
    calls: list[str] = []
    stages = [stage("double", counting(calls))]
    Runner(tmp_path, stages, numbers(3)).run()
    path = tmp_path / "stages" / "double" / "ledger.0of1.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    Runner(tmp_path, stages, numbers(3)).run()
    assert calls == ["0", "1", "2", "2"]
    assert len(list(entries(tmp_path, "double"))) == 3


def test_failures_are_rows_with_reasons_and_retried_only_when_asked(tmp_path):
    broken = True

    def run(item, config, work):
        if item["n"] == 1:
            raise Rejected("odd", "it is 1")
        if item["n"] == 2 and broken:
            raise ValueError("two is too much")
        return double(item, config, work)

    stages = [stage("double", run)]
    Runner(tmp_path, stages, numbers(4)).run()
    (found,) = status.collect(Runner(tmp_path, stages, numbers(4)))
    assert (found.done, found.rejected, found.failed, found.pending) == (2, 1, 1, 0)
    assert found.reasons == {"odd": 1, "ValueError": 1}
    assert found.media_s == 8.0
    assert status.unfit(Runner(tmp_path, stages, numbers(4))) == [
        status.Unfit("double", "1", "rejected", "odd: it is 1"),
        status.Unfit("double", "2", "failed", "ValueError: two is too much"),
    ]
    broken = False
    Runner(tmp_path, stages, numbers(4)).run()
    assert status.collect(Runner(tmp_path, stages, numbers(4)))[0].failed == 1
    Runner(tmp_path, stages, numbers(4), retry=True).run()
    (found,) = status.collect(Runner(tmp_path, stages, numbers(4)))
    assert (found.done, found.rejected, found.failed) == (3, 1, 0)


def test_new_settings_are_new_work_and_old_rows_are_passed_over(tmp_path):
    for knob, expected in ((0, 20), (1, 25), (0, 20)):
        stages = [stage("double", double, knob=knob), stage("total", total, ("double",), gather=True)]
        runner = Runner(tmp_path, stages, numbers(5))
        runner.run()
        assert [row["sum"] for row in runner.rows("total")] == [expected]


def test_settings_changed_back_make_a_gathering_stage_write_its_files_again(tmp_path, monkeypatch):
    monkeypatch.setattr("training.ledger.time.time", lambda: 1.0)  # all within one millisecond

    def keep(item, config, work):
        (work.root / "kept.txt").write_text(str(config.knob))
        return [{"id": "kept"}]

    for knob in (0, 1, 0, 0):
        stages = [stage("double", double), stage("keep", keep, ("double",), gather=True, knob=knob)]
        Runner(tmp_path, stages, numbers(2)).run()
        assert (tmp_path / "kept.txt").read_text() == str(knob)
    assert len(list(entries(tmp_path, "keep"))) == 3


def test_a_stage_that_gives_the_same_rows_again_makes_no_work_after_it(tmp_path):
    calls: list[str] = []

    def same(item, config, work):
        return [{"id": item["id"], "n": item["n"]}]

    for knob in (0, 1):
        Runner(
            tmp_path,
            [stage("same", same, knob=knob), stage("double", counting(calls), ("same",))],
            numbers(4),
        ).run()
    assert len(calls) == 4


def test_shards_share_the_items_and_the_first_gathers(tmp_path):
    calls: list[str] = []
    stages = [stage("double", counting(calls)), stage("total", total, ("double",), gather=True)]
    with pytest.raises(NotReady, match="double"):
        Runner(tmp_path, stages, numbers(20), shard=Shard(1, 3)).run()
    assert 0 < len(calls) < 20
    with pytest.raises(NotReady):
        Runner(tmp_path, stages, numbers(20), shard=Shard(2, 3)).run()
    with pytest.raises(NotReady, match="shard 0"):
        Runner(tmp_path, [stages[0]], numbers(20), shard=Shard(0, 3)).run()
        Runner(tmp_path, stages, numbers(20), shard=Shard(1, 3)).run()
    runner = Runner(tmp_path, stages, numbers(20), shard=Shard(0, 3))
    runner.run()
    assert sorted(calls, key=int) == [str(n) for n in range(20)]
    assert [row["sum"] for row in runner.rows("total")] == [380]
    assert len(list((tmp_path / "stages" / "double").iterdir())) == 3


def test_another_number_of_shards_goes_on_with_what_is_there(tmp_path):
    calls: list[str] = []
    stages = [stage("double", counting(calls))]
    Runner(tmp_path, stages, numbers(20), shard=Shard(0, 2)).run()
    Runner(tmp_path, stages, numbers(20)).run()
    assert sorted(calls, key=int) == [str(n) for n in range(20)]


def test_shards_are_named_by_clusters(monkeypatch):
    assert Shard.parse() == Shard(0, 1)
    assert Shard.parse("2/5") == Shard(2, 5)
    for text in ("5/5", "x", "1/0", "-1/3"):
        with pytest.raises(ConfigError, match="no shard"):
            Shard.parse(text)
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "3")
    with pytest.raises(ConfigError, match="JOB_COMPLETIONS"):
        Shard.parse()
    monkeypatch.setenv("JOB_COMPLETIONS", "8")
    assert Shard.parse() == Shard(3, 8)
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("SLURM_NTASKS", "4")
    assert Shard.parse() == Shard(1, 4)
    # Every job of an array says that it is task 0 of 1: each did everything.
    for name, value in {"ID": "9", "MIN": "5", "COUNT": "3", "STEP": "2"}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
    assert Shard.parse() == Shard(9, 12)
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_NTASKS", "1")
    assert Shard.parse() == Shard(2, 3)


def test_two_runs_of_one_shard_do_not_mix(tmp_path):
    with LedgerWriter(tmp_path, "double", Shard()), pytest.raises(Busy):
        Runner(tmp_path, [stage("double", double)], numbers(2)).run()


def test_blobs_exist_whole_or_not_at_all(tmp_path):
    work = Workspace(tmp_path, "ab" * 16)
    with pytest.raises(RuntimeError), work.blob(".bin") as blob:
        blob.aside.write_bytes(b"half")
        raise RuntimeError
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    with work.blob(".bin") as blob:
        blob.aside.write_bytes(b"whole")
        assert not (tmp_path / blob.name).exists()
    assert work.path(blob.name).read_bytes() == b"whole"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_full_or_read_only_disk_stops_the_run_and_loses_nothing(tmp_path, code):
    full = True

    def run(item, config, work):
        with work.blob(".bin") as blob:
            if item["n"] == 2 and full:
                raise OSError(code, "the disk says no")
            blob.aside.write_bytes(b"x")
        return [{"id": item["id"], "blob": blob.name}]

    stages = [stage("write", run)]
    with pytest.raises(StorageStopped, match="run the same command again"):
        Runner(tmp_path, stages, numbers(4)).run()
    assert [entry["status"] for entry in entries(tmp_path, "write")] == ["done", "done"]
    full = False
    Runner(tmp_path, stages, numbers(4)).run()
    assert len(list(entries(tmp_path, "write"))) == 4


def test_an_input_that_cannot_be_read_is_that_items_failure_only(tmp_path):
    def run(item, config, work):
        if item["n"] == 0:
            raise PermissionError(errno.EACCES, "Permission denied")
        return [item]

    Runner(tmp_path, [stage("read", run)], numbers(2)).run()
    assert [entry["status"] for entry in entries(tmp_path, "read")] == ["failed", "done"]


def test_too_little_free_space_stops_before_the_first_item(tmp_path):
    with pytest.raises(StorageStopped, match="reserve"):
        Runner(tmp_path, [stage("double", double)], numbers(2), reserve_mb=1 << 40).run()
    assert not list(entries(tmp_path, "double"))


def test_what_is_not_installed_stops_the_run(tmp_path):
    def run(item, config, work):
        raise EngineUnavailable("no ears", fix="get some")

    with pytest.raises(EngineUnavailable, match="get some"):
        Runner(tmp_path, [stage("hear", run)], numbers(2)).run()
    assert not list(entries(tmp_path, "hear"))


def test_worker_processes_do_the_items_and_one_that_dies_costs_its_item_only(tmp_path: Path):
    stages = [StageRun(toy_stages, toy_stages.Config())]
    Runner(tmp_path, stages, numbers(6), workers=2).run()
    ends = {entry["key"]: (entry["status"], entry["reason"]) for entry in entries(tmp_path, "crashing")}
    assert len(ends) == 6
    assert sorted(status for status, _ in ends.values()) == ["done"] * 4 + ["failed", "rejected"]
    assert any("died" in reason for _, reason in ends.values())


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; from tests.unit.training.data import toy_stages as toy;"
        "from training.pool import StageRun; from training.runner import Runner;"
        "items = lambda: ({'id': str(n), 'n': 99, 'folder': sys.argv[1]} for n in range(2));"
        "Runner(Path(sys.argv[1]), [StageRun(toy, toy.Config())], items, workers=2).run()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    workers: list[int] = []
    deadline = time.monotonic() + 30
    while len(workers) < 2:
        assert time.monotonic() < deadline
        workers = [int(path.name) for path in tmp_path.glob("[0-9]*")]
        time.sleep(0.05)
    process.kill()
    process.wait()
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_progress_counts_up(tmp_path):
    seen = []
    Runner(tmp_path, [stage("double", double)], numbers(3), progress=lambda *now: seen.append(now)).run()
    assert seen == [("double", 0, 3, 0.0), *(("double", n, 3, 2.0 * n) for n in (1, 2, 3))]
