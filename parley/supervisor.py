"""`parley up`: Redis (if none answers), services, gateway and maker as processes of this machine."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import httpx
import redis.asyncio

from parley.cli.extras import missing
from parley.errors import ConfigError, ServiceUnavailable
from parley.handover import Readiness
from parley.processes import die_with_parent
from parley.settings import REPOSITORY

log = logging.getLogger(__name__)

SERVICES = ("asr", "llm", "tts", "sda")
QUICK_DEATH_S = 10.0
GIVE_UP_AFTER = 4
SUCCESSOR_S = 60.0
LEAVE_S = 20.0  # longer than any process drains


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens; the defaults are the public ones."""

    gateway: int = 8080
    asr: int = 50051
    tts: int = 50052
    llm: int = 50053
    sda: int = 50054
    asr_metrics: int = 9091
    tts_metrics: int = 9092
    llm_metrics: int = 9093
    sda_metrics: int = 9094
    redis: int = 6379

    @classmethod
    def free(cls) -> "Ports":
        """Ports nobody listens on now: for tests that run beside a real stack."""
        sockets = [socket.socket() for _ in cls.__dataclass_fields__]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        numbers = [s.getsockname()[1] for s in sockets]
        for s in sockets:
            s.close()
        return cls(*numbers)


@dataclass(slots=True)
class Child:
    """One supervised process.

    Attributes:
        name: "redis", "asr", … "gateway", "maker".
        command: What is run.
        restarts: How often it was started again.
        leaving: The process that `process` has replaced and that still drains.
        needed: Nobody can talk without it.
    """

    name: str
    command: list[str]
    log_file: Path
    process: asyncio.subprocess.Process | None = None
    restarts: int = 0
    leaving: asyncio.subprocess.Process | None = None
    needed: bool = True

    def running(self) -> list[asyncio.subprocess.Process]:
        """Its processes that have not ended: mostly one, two while one takes over from the other."""
        return [p for p in (self.process, self.leaving) if p is not None and p.returncode is None]


@dataclass(slots=True)
class Stack:
    """All processes of one Parley on this machine.

    Attributes:
        ports: Where they listen.
        env: Extra environment (PARLEY_…) of every process.
        log_dir: One log file per process.
        say: Called with each line worth showing to a person.
        maker: Avatars can be made on the page, where what that needs is installed.
    """

    ports: Ports = Ports()
    env: Mapping[str, str] = field(default_factory=dict)
    log_dir: Path = REPOSITORY / ".cache" / "logs"
    say: Callable[[str], None] = print
    maker: bool = True
    children: dict[str, Child] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: bool = False
    _failure: ServiceUnavailable | None = None

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.ports.gateway}"

    @property
    def redis_url(self) -> str:
        """The chain's Redis: PARLEY_REDIS_URL if set, else one on this machine."""
        default = f"redis://127.0.0.1:{self.ports.redis}/0"
        return self.env.get("PARLEY_REDIS_URL") or os.environ.get("PARLEY_REDIS_URL") or default

    def environment(self) -> dict[str, str]:
        """What every child sees."""
        ports = {
            f"PARLEY_{name.upper()}{kind}": str(getattr(self.ports, name + suffix))
            for name in SERVICES
            for kind, suffix in (("_PORT", ""), ("_METRICS_PORT", "_metrics"))
        }
        addresses = {f"PARLEY_{n.upper()}_ADDRESS": f"127.0.0.1:{getattr(self.ports, n)}" for n in SERVICES}
        # One thread per model: spinning threads under contention cost up to ten times.
        return {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            **ports,
            **addresses,
            "PARLEY_GATEWAY_PORT": str(self.ports.gateway),
            **self.env,
            "PARLEY_REDIS_URL": self.redis_url,
        }

    async def start(self) -> None:
        """Starts everything; returns at once, see `wait_ready`.

        Raises:
            ConfigError: A port is taken, or Redis is neither running nor installed.
        """
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self._check_ports()
        if not await redis_answers(self.redis_url):
            self._start_redis()
        for name in SERVICES:
            self._supervise(name, [sys.executable, "-m", f"services.{name}"])
        self._supervise("gateway", [sys.executable, "-m", "gateway"])
        if self.maker and (package := missing("data")):
            self.say(
                f"No avatars can be made on the page: {package} is not installed (scripts/setup python data)."
            )
        elif self.maker:
            self._supervise("maker", [sys.executable, "-m", "training.maker"], needed=False)

    def _check_ports(self) -> None:
        for name in (*SERVICES, "gateway"):
            port = getattr(self.ports, name)
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    raise ConfigError(
                        f"Port {port} ({name}) is taken.",
                        fix="Stop what listens there (another `parley up`?), or set PARLEY_GATEWAY_PORT etc.",
                    )

    def _start_redis(self) -> None:
        where = urlsplit(self.redis_url)
        if where.hostname not in {"127.0.0.1", "localhost"}:
            raise ConfigError(
                f"Redis at {self.redis_url} does not answer.", fix="Start it, or unset PARLEY_REDIS_URL."
            )
        options = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self.log_dir)]
        memory = ["--maxmemory", "256mb", "--maxmemory-policy", "noeviction"]
        self._supervise("redis", ["redis-server", "--port", str(where.port or 6379), *options, *memory])

    def _supervise(self, name: str, command: list[str], *, needed: bool = True) -> None:
        child = Child(name, command, self.log_dir / f"{name}.log", needed=needed)
        self.children[name] = child
        self._tasks.append(asyncio.create_task(self._keep_alive(child), name=f"supervise {name}"))

    async def _keep_alive(self, child: Child) -> None:
        quick_deaths = 0
        while not self._stopping:
            started = time.monotonic()
            with child.log_file.open("ab") as log_file:
                try:
                    code = await self._run(child, log_file)
                except FileNotFoundError:
                    self._failure = ServiceUnavailable(
                        f"{child.command[0]} is not installed.", fix="Run `parley doctor`, or `make setup`."
                    )
                    return
            if self._stopping:
                return
            quick_deaths = quick_deaths + 1 if time.monotonic() - started < QUICK_DEATH_S else 0
            if quick_deaths >= GIVE_UP_AFTER:
                failure = ServiceUnavailable(
                    f"{child.name} does not stay up (exit code {code}). The end of {child.log_file}:\n"
                    f"{tail(child.log_file)}"
                )
                if child.needed:
                    self._failure = failure
                self.say(str(failure))
                return
            child.restarts += 1
            self.say(f"{child.name} ended with code {code}; starting it again ({child.log_file})")
            await asyncio.sleep(0.1 * 3 ** max(0, quick_deaths - 1))

    async def _run(self, child: Child, log_file: IO[bytes]) -> int:
        process = child.process = await self._spawn(child, log_file)
        code = await process.wait()
        while child.process is not process:  # another has taken over meanwhile
            process = child.process
            code = await process.wait()
        return code

    async def _spawn(
        self, child: Child, log_file: IO[bytes], env: Mapping[str, str] | None = None
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *child.command,
            cwd=REPOSITORY,
            env={**self.environment(), **(env or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )

    async def roll(self, names: Sequence[str] = ()) -> None:
        """Restarts processes (none named: all but Redis) one after the other without losing a word.

        Each one's successor loads beside it, and only when that can work is the old one asked to leave: it
        finishes or hands over what it has in hand.

        Raises:
            ServiceUnavailable: A successor does not come up; the old process goes on, and so do the rest.
        """
        for name in names or [name for name in self.children if name != "redis"]:
            await self._replace(self.children[name])
            self.say(f"{name} was replaced")

    async def _replace(self, child: Child) -> None:
        async with Readiness.watch() as ready:
            env = {"NOTIFY_SOCKET": ready.address, "PARLEY_BIND_WAIT_S": str(LEAVE_S)}
            with child.log_file.open("ab") as log_file:
                successor = await self._spawn(child, log_file, env)
            old, child.process, child.leaving = child.process, successor, child.process
            told = asyncio.create_task(ready.wait())
            ended = asyncio.create_task(successor.wait())
            await asyncio.wait({told, ended}, timeout=SUCCESSOR_S, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            if not told.done():
                told.cancel()
                child.process, child.leaving = old, None
                with contextlib.suppress(ProcessLookupError):
                    successor.kill()
                raise ServiceUnavailable(
                    f"The new {child.name} does not come up; the old one goes on. The end of "
                    f"{child.log_file}:\n{tail(child.log_file)}"
                )
        if old is not None:
            await _end([old], LEAVE_S)
        child.leaving = None

    async def wait_ready(self, *, timeout_s: float = 60.0) -> dict[str, object]:
        """Waits until the gateway says that everything is ready.

        Returns:
            The body of `/readyz`.

        Raises:
            ServiceUnavailable: Something died for good, or was not ready in time; the message says what.
        """
        answer = "the gateway does not answer yet"
        deadline = time.monotonic() + timeout_s
        async with httpx.AsyncClient(timeout=2) as http:
            while time.monotonic() < deadline:
                if self._failure:
                    raise self._failure
                try:
                    response = await http.get(f"{self.url}/readyz")
                except httpx.TransportError:
                    pass
                else:
                    answer = response.text
                    if response.status_code == 200:
                        body: dict[str, object] = response.json()
                        return body
                await asyncio.sleep(0.1)
        raise ServiceUnavailable(
            f"Not ready after {timeout_s:.0f} s: {answer}", fix=f"Look into {self.log_dir}."
        )

    def kill(self, name: str, with_signal: signal.Signals = signal.SIGKILL) -> None:
        """Sends a signal to one process, as a fault would."""
        process = self.children[name].process
        if process is not None and process.returncode is None:
            process.send_signal(with_signal)

    def pids(self) -> list[int]:
        """Process ids of everything that runs."""
        return [process.pid for child in self.children.values() for process in child.running()]

    async def stop(self) -> None:
        """Ends every process: SIGTERM, then SIGKILL after a grace period; Redis last."""
        self._stopping = True
        for names in ([n for n in self.children if n != "redis"], ["redis"]):
            await _end([p for n in names if n in self.children for p in self.children[n].running()], LEAVE_S)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> "Stack":
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def _end(processes: Sequence[asyncio.subprocess.Process], grace_s: float) -> None:
    """SIGTERM, and after `grace_s` seconds SIGKILL."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
    try:
        async with asyncio.timeout(grace_s):
            await asyncio.gather(*(p.wait() for p in processes))
    except TimeoutError:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a text file."""
    return "\n".join(path.read_text("utf-8", "replace").splitlines()[-lines:])


async def redis_answers(url: str) -> bool:
    """Whether a Redis answers a PING there within a second."""
    client = redis.asyncio.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1)
    try:
        return bool(await client.ping())
    except (redis.exceptions.RedisError, OSError):
        return False
    finally:
        await client.aclose()
