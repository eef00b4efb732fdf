"""The supervisor: processes come back, ports are checked, what cannot run is named."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import pytest

from parley import supervisor
from parley.errors import ConfigError, ServiceUnavailable
from parley.supervisor import Ports, Stack


def quiet_stack(tmp_path: Path) -> Stack:
    return Stack(Ports.free(), log_dir=tmp_path, say=lambda line: None)


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    stack = quiet_stack(tmp_path)
    stack._supervise("sleeper", ["sleep", "60"])
    child = stack.children["sleeper"]
    await until(lambda: child.process is not None)
    first = child.process
    stack.kill("sleeper", signal.SIGKILL)
    await until(lambda: child.process is not first)
    assert child.restarts == 1
    await stack.stop()
    assert child.process is not None
    assert child.process.returncode is not None


async def test_what_never_stays_up_is_given_up_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "GIVE_UP_AFTER", 2)
    stack = quiet_stack(tmp_path)
    stack._supervise("broken", ["sh", "-c", "echo the reason >&2; exit 3"])
    with pytest.raises(ServiceUnavailable, match="the reason"):
        await stack.wait_ready(timeout_s=10)
    await stack.stop()


async def test_a_missing_program_is_named(tmp_path: Path) -> None:
    stack = quiet_stack(tmp_path)
    stack._supervise("ghost", ["no-such-program-at-all"])
    with pytest.raises(ServiceUnavailable, match="no-such-program-at-all is not installed"):
        await stack.wait_ready(timeout_s=10)
    await stack.stop()


async def test_a_taken_port_is_an_error_that_names_it(tmp_path: Path) -> None:
    stack = quiet_stack(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", stack.ports.tts))
        taken.listen()
        with pytest.raises(ConfigError, match=f"Port {stack.ports.tts} \\(tts\\) is taken"):
            await stack.start()
    await stack.stop()


async def test_a_remote_redis_is_not_started_here(tmp_path: Path) -> None:
    env = {"PARLEY_REDIS_URL": "redis://redis.invalid:6379/0"}
    stack = Stack(Ports.free(), env=env, log_dir=tmp_path, say=lambda line: None)
    with pytest.raises(ConfigError, match="does not answer"):
        await stack.start()
    await stack.stop()


async def test_what_is_not_needed_may_fail_without_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "GIVE_UP_AFTER", 1)
    said: list[str] = []
    stack = Stack(Ports.free(), log_dir=tmp_path, say=said.append)
    stack._supervise("maker", ["sh", "-c", "echo the reason >&2; exit 3"], needed=False)
    await until(lambda: said)
    assert "maker does not stay up" in said[0] and "the reason" in said[0]
    assert stack._failure is None
    await stack.stop()


@pytest.mark.parametrize(("package", "made"), [("", True), ("mediapipe", False)])
async def test_avatars_are_made_where_what_that_needs_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, made: bool
) -> None:
    started, said = [], []
    monkeypatch.setattr(supervisor, "missing", lambda extra: package)
    stack = Stack(Ports.free(), log_dir=tmp_path, say=said.append)
    monkeypatch.setattr(stack.__class__, "_supervise", lambda self, name, *rest, **more: started.append(name))
    monkeypatch.setattr(stack.__class__, "_start_redis", lambda self: None)
    await stack.start()
    assert ("maker" in started) is made
    assert len(said) == (not made) and all("scripts/setup python data" in line for line in said)


SERVES = """
import os, pathlib, signal, socket, sys, time
pathlib.Path(sys.argv[1]).open("a").write(f"{os.getpid()}\\n")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
address = os.environ.get("NOTIFY_SOCKET")
if address:
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", address)
time.sleep(60)
"""


async def test_a_successor_is_ready_before_the_old_process_ends(tmp_path: Path) -> None:
    stack = quiet_stack(tmp_path)
    stack._supervise("server", [sys.executable, "-c", SERVES, str(tmp_path / "started")])
    child = stack.children["server"]
    await until(lambda: (tmp_path / "started").exists())
    first = child.process
    assert first is not None
    await stack.roll(["server"])
    assert first.returncode == 0
    assert child.process is not None
    assert child.process.returncode is None
    assert len((tmp_path / "started").read_text().split()) == 2
    assert child.restarts == 0
    stack.kill("server")  # what has taken over is supervised like the first
    await until(lambda: child.restarts == 1)
    await stack.stop()


async def test_a_successor_that_does_not_come_up_changes_nothing(tmp_path: Path) -> None:
    stack = quiet_stack(tmp_path)
    stack._supervise("server", [sys.executable, "-c", SERVES, str(tmp_path / "started")])
    child = stack.children["server"]
    await until(lambda: (tmp_path / "started").exists())
    first = child.process
    assert first is not None
    child.command = ["sh", "-c", "echo the reason >&2; exit 3"]
    with pytest.raises(ServiceUnavailable, match="the reason"):
        await stack.roll(["server"])
    assert child.process is first
    assert first.returncode is None
    await stack.stop()
