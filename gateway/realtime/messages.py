"""What a client may send: one small model per event. `parsing.parse` reads them."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from gateway.realtime.session_config import PERSON, SessionUpdate
from gateway.realtime.strict import Strict
from gateway.realtime.tools import FUNCTION_NAME, MAX_TOOLS, FunctionTool, ToolChoice
from parley.errors import BadRequest

MAX_MESSAGE_BYTES: Final = 1 << 20
MAX_ARGUMENTS: Final = 32_000
MAX_OUTPUT: Final = 32_000


class EventError(BadRequest):
    """A client event that cannot be obeyed.

    Attributes:
        param: Path of the field that is wrong, "session.audio.input.format"; None: the event as a whole.
        event_id: The client's id of the event, if it could be read.
    """

    def __init__(self, code: str, message: str, *, param: str | None = None, fix: str = "") -> None:
        super().__init__(message, fix=fix, code=code)
        self.param = param
        self.event_id: str | None = None


class ClientEvent(Strict):
    """Base of every event. `event_id`: the client's own, named again in an `error`."""

    event_id: str | None = Field(default=None, max_length=512)


class Content(Strict):
    """One part of a message. `audio`: base64 of s16le mono 24 kHz."""

    type: Literal["input_text", "input_audio", "output_text", "output_audio", "text"]
    text: str | None = Field(default=None, max_length=32_000)
    audio: str | None = None
    transcript: str | None = Field(default=None, max_length=32_000)


class MessageItem(Strict):
    """A message that the client puts into the conversation."""

    type: Literal["message"]
    role: Literal["system", "user", "assistant"]
    content: list[Content] = Field(min_length=1, max_length=16)
    id: str | None = Field(default=None, min_length=1, max_length=64)
    object: Literal["realtime.item"] | None = None
    status: Literal["completed", "incomplete", "in_progress"] | None = None


class FunctionCallItem(Strict):
    """A call that the avatar made in an earlier conversation."""

    type: Literal["function_call"]
    name: str = Field(pattern=FUNCTION_NAME)
    arguments: str = Field(max_length=MAX_ARGUMENTS)
    call_id: str = Field(min_length=1, max_length=64)
    id: str | None = Field(default=None, min_length=1, max_length=64)
    object: Literal["realtime.item"] | None = None
    status: Literal["completed", "incomplete", "in_progress"] | None = None


class FunctionCallOutputItem(Strict):
    """What came of a call."""

    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1, max_length=64)
    output: str = Field(max_length=MAX_OUTPUT)
    id: str | None = Field(default=None, min_length=1, max_length=64)
    object: Literal["realtime.item"] | None = None
    status: Literal["completed", "incomplete", "in_progress"] | None = None


GivenItem = Annotated[MessageItem | FunctionCallItem | FunctionCallOutputItem, Field(discriminator="type")]


class ItemReference(Strict):
    """Names an item of the conversation, in `response.input`."""

    type: Literal["item_reference"]
    id: str


class OutputFormat(Strict):
    """Audio out; only 24 kHz PCM is spoken."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24000] = 24000


class ResponseOutput(Strict):
    """Accepted for compatibility: an avatar has one voice."""

    format: OutputFormat | None = None
    voice: str | dict[str, str] | None = None


class ResponseAudio(Strict):
    """Audio options of one response."""

    output: ResponseOutput | None = None


class ResponseParams(Strict):
    """Overrides for one response. Fields typed Any are accepted and have no effect."""

    conversation: Literal["auto", "none"] = "auto"
    input: (
        list[
            Annotated[
                MessageItem | FunctionCallItem | FunctionCallOutputItem | ItemReference,
                Field(discriminator="type"),
            ]
        ]
        | None
    ) = Field(default=None, max_length=64)
    instructions: str | None = Field(default=None, max_length=32_000)
    output_modalities: list[Literal["text", "audio"]] | None = Field(default=None, min_length=1, max_length=1)
    metadata: dict[str, str] | None = Field(default=None, max_length=16)
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] | None = None
    audio: ResponseAudio | None = None
    tools: list[FunctionTool] | None = Field(default=None, max_length=MAX_TOOLS)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: Any = None
    prompt: Any = None
    reasoning: Any = None


class SessionUpdateEvent(ClientEvent):
    """`session.update`."""

    type: Literal["session.update"]
    session: SessionUpdate


class Append(ClientEvent):
    """`input_audio_buffer.append`. `audio`: base64 of s16le mono 24 kHz."""

    type: Literal["input_audio_buffer.append"]
    audio: str


class Commit(ClientEvent):
    """`input_audio_buffer.commit`."""

    type: Literal["input_audio_buffer.commit"]


class ClearInput(ClientEvent):
    """`input_audio_buffer.clear`."""

    type: Literal["input_audio_buffer.clear"]


class ItemCreate(ClientEvent):
    """`conversation.item.create`. `previous_item_id`: None: at the end; "root": at the front."""

    type: Literal["conversation.item.create"]
    item: GivenItem
    previous_item_id: str | None = None


class ItemRetrieve(ClientEvent):
    """`conversation.item.retrieve`."""

    type: Literal["conversation.item.retrieve"]
    item_id: str


class ItemDelete(ClientEvent):
    """`conversation.item.delete`."""

    type: Literal["conversation.item.delete"]
    item_id: str


class ItemTruncate(ClientEvent):
    """`conversation.item.truncate`. `audio_end_ms`: what was played of the item."""

    type: Literal["conversation.item.truncate"]
    item_id: str
    content_index: Literal[0]
    audio_end_ms: int = Field(ge=0)


class ResponseCreate(ClientEvent):
    """`response.create`."""

    type: Literal["response.create"]
    response: ResponseParams = ResponseParams()


class ResponseCancel(ClientEvent):
    """`response.cancel`."""

    type: Literal["response.cancel"]
    response_id: str | None = None


class ClearOutput(ClientEvent):
    """`output_audio_buffer.clear`."""

    type: Literal["output_audio_buffer.clear"]


class Playback(ClientEvent):
    """`avatar.playback`: how far the client has played, media clock."""

    type: Literal["avatar.playback"]
    generation: int = Field(ge=0, lt=1 << 32)
    played_samples: int = Field(ge=0, lt=1 << 63)


class Interrupt(ClientEvent):
    """`avatar.interrupt`: be silent; no error when nothing is being said."""

    type: Literal["avatar.interrupt"]


class Rate(ClientEvent):
    """`avatar.rate`: a thumb on an answer, kept with the question. `rating`: None: taken back.

    `person` is the secret of `session.memory`; `better`: with "down", what they would rather have heard.
    """

    type: Literal["avatar.rate"]
    item_id: str = Field(min_length=1, max_length=64)
    person: str = Field(pattern=f"^{PERSON}$")
    rating: Literal["up", "down"] | None
    better: str = Field(default="", max_length=2000)


Event = (
    SessionUpdateEvent
    | Append
    | Commit
    | ClearInput
    | ItemCreate
    | ItemRetrieve
    | ItemDelete
    | ItemTruncate
    | ResponseCreate
    | ResponseCancel
    | ClearOutput
    | Playback
    | Interrupt
    | Rate
)


MODELS: Final[dict[str, type[ClientEvent]]] = {
    "session.update": SessionUpdateEvent,
    "input_audio_buffer.append": Append,
    "input_audio_buffer.commit": Commit,
    "input_audio_buffer.clear": ClearInput,
    "conversation.item.create": ItemCreate,
    "conversation.item.retrieve": ItemRetrieve,
    "conversation.item.delete": ItemDelete,
    "conversation.item.truncate": ItemTruncate,
    "response.create": ResponseCreate,
    "response.cancel": ResponseCancel,
    "output_audio_buffer.clear": ClearOutput,
    "avatar.playback": Playback,
    "avatar.interrupt": Interrupt,
    "avatar.rate": Rate,
}
