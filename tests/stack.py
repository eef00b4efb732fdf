"""A whole Parley on free ports, for tests: real Redis, real processes, in a background event loop."""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from parley.supervisor import Ports, Stack

T = TypeVar("T")


class RunningStack:
    """Started on entry, ready when entered, stopped on exit; usable from any test's event loop."""

    def __init__(
        self,
        log_dir: Path,
        env: Mapping[str, str] | None = None,
        ports: Ports | None = None,
        *,
        maker: bool = False,
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stack")
        self.lines: list[str] = []
        self.stack = Stack(
            ports or Ports.free(),
            env={"PARLEY_REDIS_URL": "", **(env or {})},
            log_dir=log_dir,
            say=self.lines.append,
            maker=maker,
        )

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self.stack.url

    def call(self, coroutine: Coroutine[Any, Any, T], timeout_s: float = 90) -> T:
        """Runs a coroutine in the stack's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def __enter__(self) -> "RunningStack":
        self._thread.start()
        try:
            self.call(self.stack.start())
            self.ready = self.call(self.stack.wait_ready())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.call(self.stack.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Sends a signal to one process."""
        self.stack.kill(name, number)

    def roll(self, name: str) -> None:
        """Replaces one process by a new one, without a gap."""
        self.call(self.stack.roll([name]))

    def wait_ready(self) -> dict[str, object]:
        """Waits until everything answers again."""
        return self.call(self.stack.wait_ready())

    def restarts(self, name: str) -> int:
        """How often the supervisor started that process again."""
        return self.stack.children[name].restarts

    def memory_mib(self, name: str) -> float:
        """Resident memory of one process."""
        process = self.stack.children[name].process
        assert process is not None
        status = Path(f"/proc/{process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024
