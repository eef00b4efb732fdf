"""Functions of the client's that the avatar may call: how they are given, and what the mind is told."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import Field, field_validator

from gateway.realtime.strict import Strict
from proto.parley.v1 import chain_pb2

FUNCTION_NAME: Final = "^[A-Za-z0-9_-]{1,64}$"
MAX_TOOLS: Final = 64
MAX_PARAMETERS_BYTES: Final = 16_384


class FunctionTool(Strict):
    """A function. `parameters`: JSON Schema of its arguments, an object; without it there are none."""

    type: Literal["function"]
    name: str = Field(pattern=FUNCTION_NAME)
    description: str | None = Field(default=None, max_length=4096)
    parameters: dict[str, Any] | None = None

    @field_validator("parameters")
    @classmethod
    def _describes_an_object(cls, given: dict[str, Any] | None) -> dict[str, Any] | None:
        if given is not None and given.get("type", "object") != "object":
            raise ValueError("arguments are an object, so its type is 'object'")
        try:
            size = 0 if given is None else len(orjson.dumps(given))
        except TypeError as error:  # integers beyond 64 bits, text that is no Unicode, too deep
            raise ValueError(f"not JSON that can be passed on: {error}") from error
        if size > MAX_PARAMETERS_BYTES:
            raise ValueError(f"more than {MAX_PARAMETERS_BYTES} bytes of schema")
        return given

    def shown(self) -> dict[str, Any]:
        """As the client gave it."""
        return self.model_dump(exclude_none=True)


class ChosenFunction(Strict):
    """Demands a call of this one."""

    type: Literal["function"]
    name: str = Field(pattern=FUNCTION_NAME)


ToolChoice = Annotated[
    Literal["auto", "none", "required"] | ChosenFunction, Field(union_mode="left_to_right")
]


def shown_choice(choice: ToolChoice) -> str | dict[str, str]:
    """As the client gave it."""
    return choice.model_dump() if isinstance(choice, ChosenFunction) else choice


def for_the_mind(tools: Sequence[FunctionTool]) -> tuple[chain_pb2.Tool, ...]:
    """`tools` of a turn."""
    return tuple(
        chain_pb2.Tool(
            name=tool.name,
            description=tool.description or "",
            parameters=orjson.dumps(tool.parameters).decode() if tool.parameters else "",
        )
        for tool in tools
    )


def choice_for_the_mind(choice: ToolChoice) -> str:
    """`tool_choice` of a turn."""
    if isinstance(choice, ChosenFunction):
        return f"function:{choice.name}"
    return "" if choice == "auto" else choice


def demands_a_call(choice: ToolChoice) -> bool:
    """Whether a reply without a call would not do."""
    return isinstance(choice, ChosenFunction) or choice == "required"


def problem(tools: Sequence[FunctionTool], choice: ToolChoice) -> tuple[str, str] | None:
    """What is wrong with tools and choice together: (field, message); None: nothing."""
    names = [tool.name for tool in tools]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        return "tools", f"There are two functions named {twice!r}."
    if isinstance(choice, ChosenFunction) and choice.name not in names:
        return "tool_choice", f"There is no function {choice.name!r} in tools."
    if choice == "required" and not names:
        return "tool_choice", "A call is required, and there are no tools."
    return None
