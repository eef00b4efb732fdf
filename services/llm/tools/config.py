"""The operator's functions, in YAML: MCP servers that the llm service starts, or connects to.

servers:
  weather:
    command: [python3, -m, weather_server]
    environment: {WEATHER_KEY: "…"}
    only: [forecast]
  house:
    url: http://127.0.0.1:9000/mcp
    headers: {Authorization: "Bearer …"}
    timeout_s: 10
"""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from parley.errors import ConfigError

ServerName = Annotated[str, Field(pattern="^[A-Za-z0-9-]{1,24}$")]


class ServerConfig(BaseModel):
    """One MCP server.

    Attributes:
        command: Starts it; it is spoken to over its standard input and output.
        environment: Variables that it gets besides PATH, HOME and the like.
        url: Or where it is already (streamable HTTP).
        headers: Sent with each request to `url`.
        only: Those of its functions that may be called; empty: all.
        timeout_s: How long one call may take.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    url: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    only: frozenset[str] = frozenset()
    timeout_s: float = Field(default=5.0, gt=0, le=120)

    @model_validator(mode="after")
    def _one_way(self) -> "ServerConfig":
        if bool(self.command) == bool(self.url):
            raise ValueError("a server has either a command or a url")
        return self


class ToolsConfig(BaseModel):
    """All of them, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: dict[ServerName, ServerConfig]


def load_tools_config(path: Path) -> ToolsConfig:
    """Reads the file.

    Raises:
        ConfigError: It is missing or malformed; names the field.
    """
    try:
        return ToolsConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.", fix="Check PARLEY_LLM_TOOLS."
        ) from error
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path} is malformed: {error}", fix="See services/llm/tools/config.py.") from error
