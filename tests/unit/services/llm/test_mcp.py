"""Functions of real MCP servers: found, called, bounded in time, missed when they are away."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from parley.errors import ConfigError
from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from services.llm.replies import reply_pieces
from services.llm.tools import mcp
from services.llm.tools.config import ServerConfig, load_tools_config
from services.llm.tools.mcp import McpToolbox
from tests.unit.services.llm.model_server import serving

MODULE = "tests.unit.services.llm.mcp_server"
COMMAND = (sys.executable, "-m", MODULE)
HERE = {"PYTHONPATH": str(REPOSITORY)}


@asynccontextmanager
async def toolbox(**servers: ServerConfig) -> AsyncIterator[McpToolbox]:
    async with McpToolbox(servers) as box:
        async with asyncio.timeout(30):
            await box.connected()
        yield box


def started(**options: object) -> ServerConfig:
    return ServerConfig.model_validate({"command": COMMAND, "environment": HERE, **options})


@pytest.fixture
def url() -> Iterator[str]:
    """A server that runs by itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*COMMAND, str(port)], env={**os.environ, **HERE}, stderr=subprocess.DEVNULL)
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()
    process.wait()


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_server_that_is_started_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "FIRST_RETRY_S", 0.05)
    sky = started(
        environment={**HERE, "SOURCE": "Mira"}, timeout_s=2, only=["weather", "open_door", "think", "die"]
    )
    async with toolbox(sky=sky) as box:
        offered = {tool.name: tool for tool in box.tools()}
        assert set(offered) == {"sky__weather", "sky__open_door", "sky__think", "sky__die"}
        assert offered["sky__weather"].description == "The weather of a city."
        assert '"city"' in offered["sky__weather"].parameters
        assert box.harmless("sky__weather") and not box.harmless("sky__open_door")
        assert await box.call("sky__weather", '{"city": "Oslo"}') == "Rain in Oslo, says Mira."
        await the_avatar_says_what_came_of_it(box)

        # What goes wrong is told to the model in words.
        assert "There is no door 'left'." in await box.call("sky__open_door", '{"door": "left"}')
        assert (await box.call("sky__weather", "{}")).startswith("It failed")
        assert await box.call("sky__weather", "[1]") == "It was not called: the arguments are no JSON object."
        assert await box.call("sky__weather", "{") == "It was not called: the arguments are no JSON object."
        assert await box.call("sky__think", '{"seconds": 20}') == "It did not answer within 2 seconds."

        # A server that dies is missed, and started again.
        await box.call("sky__die", "{}")
        await until(lambda: not box.tools())
        assert await box.call("sky__weather", '{"city": "Oslo"}') == "It cannot be reached now."
        await until(box.tools)
        assert "Oslo" in await box.call("sky__weather", '{"city": "Oslo"}')


async def the_avatar_says_what_came_of_it(box: McpToolbox) -> None:
    async with serving() as (server, engine):
        function = {"name": "sky__weather", "arguments": '{"city": "Oslo"}'}
        called = {"tool_calls": [{"index": 0, "id": "a", "function": function}]}
        server.script = [server.streams(called, reason="tool_calls"), server.says("It rains in Oslo.")]
        turn = pb.Turn(avatar="mira", history=[pb.Message(role=pb.ROLE_USER, text="will it rain")])
        pieces = [piece async for piece in reply_pieces(engine, turn, toolbox=box)]
    assert "".join(piece.text for piece in pieces) == "It rains in Oslo."
    assert "sky__weather" in [tool["function"]["name"] for tool in server.requests[0]["tools"]]
    result = server.requests[1]["messages"][-1]
    assert result == {"role": "tool", "tool_call_id": "a", "content": "Rain in Oslo, says Mira."}


async def test_over_http_and_one_that_is_away(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp, "FIRST_RETRY_S", 0.05)
    away = ServerConfig(command=("/nonexistent/server",))
    async with toolbox(house=ServerConfig(url=url, only=frozenset({"weather"})), away=away) as box:
        await until(box.tools)
        assert [tool.name for tool in box.tools()] == ["house__weather"]
        assert "Oslo" in await box.call("house__weather", '{"city": "Oslo"}')


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("servers: {sky: {}}", "either a command or a url"),
        ("servers: {sky: {url: http://x, command: [y]}}", "either a command or a url"),
        ("servers: {sky: {url: http://x, limit: 3}}", "limit"),
        ("servers: {'two words': {url: http://x}}", "two words"),
        ("servers: [", "malformed"),
    ],
)
def test_a_file_that_is_wrong_names_the_field(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "tools.yaml").write_text(text)
    with pytest.raises(ConfigError, match=complaint):
        load_tools_config(tmp_path / "tools.yaml")


def test_a_missing_file_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="PARLEY_LLM_TOOLS"):
        load_tools_config(tmp_path / "tools.yaml")
