"""A toolbox of MCP servers (Model Context Protocol), kept connected in the background."""

import asyncio
import json
import logging
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from parley.aio import wait_event
from parley.errors import EngineUnavailable
from proto.parley.v1 import chain_pb2 as pb
from services.llm.tools.config import ServerConfig, load_tools_config

try:
    import httpx2
    from mcp import Client, MCPError, StdioServerParameters
    from mcp.client.streamable_http import streamable_http_client
    from mcp.types import CallToolResult, TextContent, Tool
except ImportError as error:
    raise EngineUnavailable(
        f"PARLEY_LLM_TOOLS needs the package mcp ({error}).", fix="pip install 'parley[tools]'"
    ) from error

log = logging.getLogger(__name__)

CONNECT_S = 10.0
FIRST_RETRY_S, LAST_RETRY_S = 1.0, 60.0
LOOK_AGAIN_S = 60.0
RESULT_CHARACTERS = 4000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class McpToolbox:
    """See `services.llm.tools.rounds.Toolbox`. Use it with `async with`.

    A function is called `{server}__{function}`. Those of a server that cannot be reached are not offered.
    """

    def __init__(self, servers: dict[str, ServerConfig]) -> None:
        """Connects to nothing yet.

        Args:
            servers: By name.
        """
        self._servers = [_Server(name, config) for name, config in servers.items()]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "McpToolbox":
        self._tasks = [
            asyncio.create_task(server.run(), name=f"mcp {server.name}") for server in self._servers
        ]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def connected(self) -> None:
        """Waits until each server has been tried once."""
        for server in self._servers:
            await server.tried.wait()

    def tools(self) -> list[pb.Tool]:
        """See `Toolbox.tools`."""
        return [tool for server in self._servers for tool in server.offered.values()]

    def harmless(self, name: str) -> bool:
        """See `Toolbox.harmless`: the server says so itself (`readOnlyHint`)."""
        return any(name in server.read_only for server in self._servers)

    async def call(self, name: str, arguments: str) -> str:
        """See `Toolbox.call`."""
        server = next((server for server in self._servers if name in server.offered), None)
        if server is None:
            return "It cannot be reached now."
        try:
            given = json.loads(arguments or "{}")
        except ValueError:
            given = None
        if not isinstance(given, dict):
            return "It was not called: the arguments are no JSON object."
        return await server.call(name, given)


class _Server:
    """One server.

    Attributes:
        name: As configured.
        offered: What can be called now, by the name that the model sees.
        read_only: Those of them that change nothing.
        tried: Set once a connection was made, or failed.
    """

    def __init__(self, name: str, config: ServerConfig) -> None:
        self.name = name
        self.offered: dict[str, pb.Tool] = {}
        self.read_only: frozenset[str] = frozenset()
        self.tried = asyncio.Event()
        self._config = config
        self._client: Client | None = None
        self._look_again = asyncio.Event()

    async def run(self) -> None:
        """Keeps connected until cancelled."""
        retry_s = FIRST_RETRY_S
        while True:
            try:
                async with AsyncExitStack() as opened:
                    async with asyncio.timeout(CONNECT_S):
                        self._client = await self._connect(opened)
                        await self._list(self._client)
                    retry_s = FIRST_RETRY_S
                    await self._stay(self._client)
            except Exception as error:  # whatever a server makes its client raise must not end the mind
                log.warning("an MCP server is away", extra={"server": self.name, "reason": _reason(error)})
            finally:
                self._client, self.offered, self.read_only = None, {}, frozenset()
                self.tried.set()
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, LAST_RETRY_S)

    async def call(self, name: str, arguments: dict[str, Any]) -> str:
        """Calls one of `offered`; says in words what came of it."""
        client, limit_s = self._client, self._config.timeout_s
        if client is None:
            return "It cannot be reached now."
        try:
            async with asyncio.timeout(limit_s):
                result = await client.call_tool(name.removeprefix(f"{self.name}__"), arguments)
        except TimeoutError:
            log.warning("a call took too long", extra={"function": name, "limit_s": limit_s})
            return f"It did not answer within {limit_s:g} seconds."
        except Exception as error:  # see `run`
            log.warning("a call failed", extra={"function": name, "reason": _reason(error)})
            self._look_again.set()
            if not isinstance(error, MCPError):
                return "It cannot be reached now."
            return f"It failed: {error}"[:RESULT_CHARACTERS]
        return _words(result)

    async def _connect(self, opened: AsyncExitStack) -> Client:
        config = self._config
        if config.command:
            command, *args = config.command
            started = StdioServerParameters(command=command, args=args, env=config.environment)
            return await opened.enter_async_context(Client(started))
        timeout = httpx2.Timeout(CONNECT_S, read=config.timeout_s + CONNECT_S)
        http = httpx2.AsyncClient(headers=config.headers, timeout=timeout, trust_env=False)
        await opened.enter_async_context(http)
        return await opened.enter_async_context(Client(streamable_http_client(config.url, http_client=http)))

    async def _stay(self, client: Client) -> None:
        """Looks now and then whether it is still there, and what it offers."""
        while True:
            self.tried.set()
            self._look_again.clear()
            await wait_event(self._look_again, LOOK_AGAIN_S)
            async with asyncio.timeout(CONNECT_S):
                await self._list(client)

    async def _list(self, client: Client) -> None:
        tools: list[Tool] = []
        cursor: str | None = None
        while True:
            page = await client.list_tools(cursor=cursor, cache_mode="refresh")
            tools += page.tools
            if (cursor := page.next_cursor) is None:
                break
        only = self._config.only
        wanted = {f"{self.name}__{tool.name}": tool for tool in tools if not only or tool.name in only}
        if missing := only - {tool.name for tool in tools}:
            log.warning(
                "an MCP server lacks functions", extra={"server": self.name, "missing": sorted(missing)}
            )
        if odd := [name for name in wanted if not _NAME.fullmatch(name)]:
            log.warning("functions with such names cannot be called", extra={"functions": odd})
        usable = {name: tool for name, tool in wanted.items() if name not in odd}
        self.read_only = frozenset(
            n for n, t in usable.items() if t.annotations and t.annotations.read_only_hint
        )
        self.offered = {
            name: pb.Tool(
                name=name, description=tool.description or "", parameters=json.dumps(tool.input_schema)
            )
            for name, tool in usable.items()
        }


def load_toolbox(path: Path) -> McpToolbox:
    """The toolbox that a file describes.

    Raises:
        ConfigError: The file is missing or malformed.
    """
    return McpToolbox(load_tools_config(path).servers)


def _words(result: CallToolResult) -> str:
    """What a model can read of a result."""
    parts: Sequence[str] = [p.text if isinstance(p, TextContent) else f"({p.type})" for p in result.content]
    text = "\n".join(parts)[:RESULT_CHARACTERS]
    return f"It failed: {text}" if result.is_error else text


def _reason(error: BaseException) -> str:
    """The innermost causes of an error, in words."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reason(one) for one in error.exceptions)
    return str(error) or type(error).__name__
