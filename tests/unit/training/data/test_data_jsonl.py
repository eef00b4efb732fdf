"""Append-only files: whole lines or none, one writer."""

import os
from pathlib import Path

import pytest

from training.data import jsonl


def read_all(path: Path) -> list[dict[str, object]]:
    return [row for row, _ in jsonl.read(path)]


def test_lines_come_back_and_reading_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "deep" / "a.jsonl"
    with jsonl.Appender(path) as file:
        file.append([{"n": 1}, {"n": 2}])
    *_, (_, offset) = jsonl.read(path)
    with jsonl.Appender(path) as file:
        file.append([{"n": 3}])
    assert read_all(path) == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert [row for row, _ in jsonl.read(path, offset)] == [{"n": 3}]


def test_a_torn_tail_is_skipped_by_readers_and_cut_by_the_next_writer(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n":1}\n{"n":2')
    assert read_all(path) == [{"n": 1}]
    with jsonl.Appender(path) as file:
        file.append([{"n": 3}])
    assert read_all(path) == [{"n": 1}, {"n": 3}]


def test_a_file_of_nothing_but_a_torn_line_begins_anew(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n":')
    with jsonl.Appender(path):
        assert path.stat().st_size == 0


def test_a_second_writer_is_refused(tmp_path):
    with jsonl.Appender(tmp_path / "a.jsonl"), pytest.raises(jsonl.Busy, match="another process"):
        jsonl.Appender(tmp_path / "a.jsonl")


def test_damage_in_the_middle_is_an_error_not_a_gap(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n":1}\nrubbish\n{"n":2}\n')
    with pytest.raises(ValueError, match="damaged line before byte 16"):
        read_all(path)


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    with jsonl.Appender(path) as file:
        file.append([{"n": 1}])
        real = os.pwrite

        def short(fd: int, data: bytes, at: int) -> int:
            if len(data) > 4:
                return real(fd, data[:4], at)
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "pwrite", short)
        with pytest.raises(OSError, match="No space"):
            file.append([{"n": 2222}])
        monkeypatch.undo()
        assert path.read_bytes() == b'{"n":1}\n'
        file.append([{"n": 3}])
    assert read_all(path) == [{"n": 1}, {"n": 3}]
