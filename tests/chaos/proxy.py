"""A network that can be slow, silent or broken: a TCP proxy of our own between two processes.

Netem, the kernel's tool for that, is not in every kernel (nor in the one that these tests were written
on), so the faults are made where the bytes are; what a process sees is the same.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any

CHUNK_BYTES = 1 << 16


class Link:
    """Forwards connections to one address; works in a thread of its own, so that tests may block.

    Attributes:
        port: Where to connect instead, on 127.0.0.1.
        delay_s: Added to whatever goes either way.
    """

    def __init__(self, port: int) -> None:
        """Listens at once.

        Args:
            port: Where it leads, on 127.0.0.1.
        """
        self.delay_s = 0.0
        self._to = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link")
        self._thread.start()
        self._open: set[asyncio.StreamWriter] = set()
        self._flows = self._call(self._event())
        self._refuses = False
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def stall(self) -> None:
        """From now on nothing gets through, and nobody is told: a partition."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def cut(self) -> None:
        """Breaks all connections, and breaks new ones at once."""
        self._loop.call_soon_threadsafe(self._cut)

    def heal(self) -> None:
        """All is well again; what a stall held back gets through now, as TCP would send it again."""
        self.delay_s = 0.0
        self._refuses = False
        self._loop.call_soon_threadsafe(self._flows.set)

    def close(self) -> None:
        """Ends it, with all connections."""
        self.heal()
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    @staticmethod
    async def _event() -> asyncio.Event:
        flows = asyncio.Event()
        flows.set()
        return flows

    def _cut(self) -> None:
        self._refuses = True
        for writer in self._open:
            writer.transport.abort()

    async def _close(self) -> None:
        self._server.close()
        self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, there}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._forward(reader, there))
                ways.create_task(self._forward(there_reader, writer))
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _forward(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        """One way of a connection. What comes is on its way at once, so that a delay costs no throughput."""
        loop = asyncio.get_running_loop()
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)

        async def deliver() -> None:
            while True:
                due, data = await on_the_way.get()
                await asyncio.sleep(due - loop.time())
                await self._flows.wait()
                if not data:
                    to.write_eof()
                    return
                to.write(data)
                await to.drain()

        with contextlib.suppress(OSError):
            async with asyncio.TaskGroup() as both:
                both.create_task(deliver())
                while data := await source.read(CHUNK_BYTES):
                    await on_the_way.put((loop.time() + self.delay_s, data))
                await on_the_way.put((loop.time() + self.delay_s, b""))
