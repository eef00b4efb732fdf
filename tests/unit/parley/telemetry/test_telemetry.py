"""Logs and metrics."""

import asyncio
import json
import logging
import urllib.request

import pytest

from parley.errors import ConfigError
from parley.telemetry import logs, metrics


def line(record: logging.LogRecord) -> dict[str, object]:
    parsed: dict[str, object] = json.loads(logs.JsonFormatter("asr").format(record))
    return parsed


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger("x").makeRecord("x", logging.INFO, "f", 1, message, (), None, extra=extra)


def test_a_line_is_json_with_context_and_extras() -> None:
    with logs.bind(session="s1", generation=2):
        got = line(record("höre", port=1))
    assert got["message"] == "höre" and got["service"] == "asr" and got["level"] == "INFO"
    assert (got["session"], got["generation"], got["port"]) == ("s1", 2, 1)
    assert "session" not in line(record("after"))


def test_a_traceback_is_kept() -> None:
    try:
        raise LookupError("gone")
    except LookupError as error:
        failed = record("failed")
        failed.exc_info = (LookupError, error, error.__traceback__)
    assert "LookupError: gone" in str(line(failed)["exception"])


async def test_tasks_have_contexts_of_their_own() -> None:
    async def work(name: str) -> object:
        with logs.bind(session=name):
            await asyncio.sleep(0)
            return line(record("x"))["session"]

    assert await asyncio.gather(work("a"), work("b")) == ["a", "b"]


def test_setup_writes_lines_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers = []
    try:
        logs.setup("tts", "INFO")
        logging.getLogger("parley.x").info("hello", extra={"n": 1})
        logging.getLogger("parley.x").debug("not this")
    finally:
        root.handlers, _ = before, root.setLevel(level)
    [written] = capsys.readouterr().err.splitlines()
    assert json.loads(written)["n"] == 1


def test_metrics_are_served_and_the_port_freed() -> None:
    metrics.observe_hop("test_hop", 0.003)
    metrics.count_generation_drop("test_stage")
    server = metrics.MetricsServer("127.0.0.1", 0)
    with pytest.raises(ConfigError, match="metrics port"):
        metrics.MetricsServer("127.0.0.1", server.port)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert 'parley_hop_seconds_bucket{hop="test_hop",le="0.005"} 1.0' in text
    assert 'parley_generation_drops_total{where="test_stage"} 1.0' in text
    server.close()
    metrics.MetricsServer("127.0.0.1", server.port).close()
