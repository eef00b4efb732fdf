"""How a process takes over from another: it can work before that one stops, and gets its ports afterwards."""

import asyncio
import contextlib
import errno
import os
import socket
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

RETRY_S: Final = 0.02


def notify_ready() -> None:
    """Tells whoever started this process that it can work; nothing happens where nobody asked to be told.

    The protocol is systemd's (sd_notify(3)): a datagram READY=1 to the socket that NOTIFY_SOCKET names.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link, contextlib.suppress(ConnectionError):
        link.sendto(b"READY=1", address)  # refused: whoever asked has gone


class Readiness:
    """The other end of `notify_ready`: the address that a new process is told, and its answer."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._told = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def watch(cls) -> AsyncIterator["Readiness"]:
        """Listens for one process."""
        with tempfile.TemporaryDirectory(prefix="parley-") as folder:
            ready = cls(str(Path(folder) / "notify"))
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Listening(ready._told), local_addr=ready.address, family=socket.AF_UNIX
            )
            try:
                yield ready
            finally:
                transport.close()

    async def wait(self) -> None:
        """Waits until the process says that it can work."""
        await self._told.wait()


class _Listening(asyncio.DatagramProtocol):
    def __init__(self, told: asyncio.Event) -> None:
        self._told = told

    def datagram_received(self, data: bytes, address: object) -> None:
        if b"READY=1" in data.splitlines():
            self._told.set()


async def port_free(host: str, port: int, *, wait_s: float) -> None:
    """Waits until a predecessor lets go of a port; whoever binds it next tells if it never did.

    Args:
        host: Address to bind.
        port: Port; 0 is always free.
        wait_s: At most so long; 0: nothing is waited for.
    """
    until = time.monotonic() + wait_s
    while time.monotonic() < until and not _free(host, port):
        await asyncio.sleep(RETRY_S)


def _free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE
    return True
