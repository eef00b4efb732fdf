"""The composed stack, as built: talked to, scaled, with a container killed. Needs Docker with Compose v2.

`python -m pytest tests/deploy`; the images are built first, which takes a minute or two the first time.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from parley.cli.talk import DEFAULT_QUESTION
from parley.supervisor import Ports

ROOT = Path(__file__).resolve().parents[2]
OURS = ("asr", "llm", "tts", "sda", "gateway")


@dataclass(frozen=True)
class Composed:
    """A running project of its own, on a free port."""

    port: int

    def compose(self, *arguments: str) -> str:
        """Runs `docker compose` on it; returns what it printed."""
        name = f"parley-test-{self.port}"
        command = ["docker", "compose", "-p", name, "-f", str(ROOT / "docker-compose.yml"), *arguments]
        env = {
            **os.environ,
            "PARLEY_PORT": str(self.port),
            "PARLEY_IMAGES": "parley-test",
            "PARLEY_API_KEYS": "",
        }
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def containers(self) -> dict[str, list[str]]:
        """Ids of the running containers by service."""
        found: dict[str, list[str]] = {}
        for line in self.compose("ps", "--format", "json").splitlines():
            one = json.loads(line)
            found.setdefault(one["Service"], []).append(one["ID"])
        return found

    def inside(self, service: str, *command: str) -> str:
        """Runs a command in the first container of a service."""
        return self.compose("exec", "-T", service, *command).strip()

    def talk(self, out: Path) -> dict[str, Any]:
        """Speaks the recorded question to it, from outside."""
        parley = Path(sys.executable).parent / "parley"
        url = f"http://127.0.0.1:{self.port}"
        command = [parley, "talk", DEFAULT_QUESTION, "--url", url, "--out", out / "answer.mp4", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=150)
        assert done.returncode == 0, done.stderr[-4000:]
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


@pytest.fixture(scope="module")
def composed() -> Iterator[Composed]:
    """Built and up; taken down afterwards, with its networks and volumes."""
    stack = Composed(Ports.free().gateway)
    try:
        stack.compose("build")
        stack.compose("up", "-d", "--wait")
        yield stack
    finally:
        stack.compose("down", "-v", "--timeout", "5")


def test_it_answers(composed: Composed, tmp_path: Path) -> None:
    answer = composed.talk(tmp_path)
    assert answer["reply"]
    assert answer["frames"] * 40 >= answer["audio_ms"] - 80
    assert answer["engines"] == {"asr": "sphinx", "llm": "notes", "tts": "embedded", "sda": "gan"}


@pytest.mark.parametrize("service", OURS)
def test_containers_are_locked_down_and_small(composed: Composed, service: str) -> None:
    assert composed.inside(service, "id", "-u") == "10001"
    tried = composed.inside(service, "sh", "-c", "touch /app/x 2>/dev/null || echo refused")
    assert tried == "refused"
    heavy = "import importlib.util as u; print([n for n in ('torch', 'pip', 'grpc_tools') if u.find_spec(n)])"
    assert composed.inside(service, "/venv/bin/python", "-I", "-c", heavy) == "[]"


def test_services_reach_nothing_outside(composed: Composed) -> None:
    probe = "import socket; s = socket.socket(); s.settimeout(2); print(s.connect_ex(('192.0.2.1', 80)) != 0)"
    for service in ("asr", "llm", "tts", "sda"):
        assert composed.inside(service, "python", "-c", probe) == "True"


def test_voices_are_added_without_restarting_anything(composed: Composed, tmp_path: Path) -> None:
    before = composed.containers()
    composed.compose("up", "-d", "--wait", "--no-recreate", "--scale", "tts=3")
    after = composed.containers()
    assert len(after["tts"]) == 3
    assert all(set(before[service]) <= set(after[service]) for service in before)
    assert composed.talk(tmp_path)["reply"]


def test_with_one_voice_killed_another_answers(composed: Composed, tmp_path: Path) -> None:
    composed.compose("up", "-d", "--wait", "--no-recreate", "--scale", "tts=2")
    first = composed.containers()["tts"][0]
    subprocess.run(["docker", "kill", first], check=True, capture_output=True, timeout=30)
    assert composed.talk(tmp_path)["reply"]


def test_redis_is_bounded_and_keeps_nothing(composed: Composed) -> None:
    def setting(name: str) -> str:
        return composed.inside("redis", "redis-cli", "config", "get", name).partition("\n")[2]

    assert int(setting("maxmemory")) == 256 << 20
    assert setting("maxmemory-policy") == "noeviction"
    assert setting("save") == ""
    assert setting("appendonly") == "no"


def test_a_full_redis_refuses_talks_visibly_and_recovers(composed: Composed, tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{composed.port}/v1/realtime?model=mira"
    composed.inside("redis", "redis-cli", "config", "set", "maxmemory", "1mb")
    with pytest.raises(InvalidStatus) as refused:
        connect(url, open_timeout=20).close()
    assert refused.value.response.status_code == 503
    assert b"maxmemory" in refused.value.response.body
    composed.inside("redis", "redis-cli", "config", "set", "maxmemory", "256mb")
    assert composed.talk(tmp_path)["reply"]
