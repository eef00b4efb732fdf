"""The supervisor: processes come back, ports are checked, what cannot run is named."""

import asyncio
import signal
import socket
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
