"""An MCP server for tests, as a process: `python -m tests.unit.services.llm.mcp_server [PORT]`.

Without a port it is spoken to over standard input and output.
"""

import asyncio
import os
import sys

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

server = MCPServer("tests")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def weather(city: str) -> str:
    """The weather of a city."""
    return f"Rain in {city}, says {os.environ.get('SOURCE', 'nobody')}."


@server.tool()
def open_door(door: str) -> str:
    """Opens a door, if there is one."""
    raise ToolError(f"There is no door {door!r}.")


@server.tool()
async def think(seconds: float) -> str:
    """Takes its time."""
    await asyncio.sleep(seconds)
    return "Done."


@server.tool()
def die() -> str:
    """Ends the server's process."""
    os._exit(1)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
    else:
        server.run()
