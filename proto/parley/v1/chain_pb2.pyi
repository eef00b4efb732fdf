from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_SYSTEM: _ClassVar[Role]
    ROLE_USER: _ClassVar[Role]
    ROLE_ASSISTANT: _ClassVar[Role]
    ROLE_TOOL: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_SYSTEM: Role
ROLE_USER: Role
ROLE_ASSISTANT: Role
ROLE_TOOL: Role

class Trace(_message.Message):
    __slots__ = ("session", "generation", "turn")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    session: str
    generation: int
    turn: str
    def __init__(self, session: _Optional[str] = ..., generation: _Optional[int] = ..., turn: _Optional[str] = ...) -> None: ...

class Tool(_message.Message):
    __slots__ = ("name", "description", "parameters")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    parameters: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., parameters: _Optional[str] = ...) -> None: ...

class ToolCall(_message.Message):
    __slots__ = ("id", "name", "arguments")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    arguments: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., arguments: _Optional[str] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("role", "text", "call", "call_id")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    role: Role
    text: str
    call: ToolCall
    call_id: str
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., text: _Optional[str] = ..., call: _Optional[_Union[ToolCall, _Mapping]] = ..., call_id: _Optional[str] = ...) -> None: ...

class VideoFormat(_message.Message):
    __slots__ = ("codec", "width", "height", "fps")
    CODEC_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FPS_FIELD_NUMBER: _ClassVar[int]
    codec: str
    width: int
    height: int
    fps: int
    def __init__(self, codec: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., fps: _Optional[int] = ...) -> None: ...

class Turn(_message.Message):
    __slots__ = ("trace", "avatar", "history", "instructions", "want_audio", "video", "created_unix_ms", "deadline_unix_ms", "max_output_tokens", "verbatim", "facts", "tools", "tool_choice", "speculative")
    TRACE_FIELD_NUMBER: _ClassVar[int]
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    WANT_AUDIO_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    CREATED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    VERBATIM_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    TOOL_CHOICE_FIELD_NUMBER: _ClassVar[int]
    SPECULATIVE_FIELD_NUMBER: _ClassVar[int]
    trace: Trace
    avatar: str
    history: _containers.RepeatedCompositeFieldContainer[Message]
    instructions: str
    want_audio: bool
    video: VideoFormat
    created_unix_ms: int
    deadline_unix_ms: int
    max_output_tokens: int
    verbatim: str
    facts: _containers.RepeatedScalarFieldContainer[str]
    tools: _containers.RepeatedCompositeFieldContainer[Tool]
    tool_choice: str
    speculative: bool
    def __init__(self, trace: _Optional[_Union[Trace, _Mapping]] = ..., avatar: _Optional[str] = ..., history: _Optional[_Iterable[_Union[Message, _Mapping]]] = ..., instructions: _Optional[str] = ..., want_audio: _Optional[bool] = ..., video: _Optional[_Union[VideoFormat, _Mapping]] = ..., created_unix_ms: _Optional[int] = ..., deadline_unix_ms: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., verbatim: _Optional[str] = ..., facts: _Optional[_Iterable[str]] = ..., tools: _Optional[_Iterable[_Union[Tool, _Mapping]]] = ..., tool_choice: _Optional[str] = ..., speculative: _Optional[bool] = ...) -> None: ...

class Reply(_message.Message):
    __slots__ = ("trace", "avatar", "video", "created_unix_ms", "deadline_unix_ms")
    TRACE_FIELD_NUMBER: _ClassVar[int]
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    CREATED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    trace: Trace
    avatar: str
    video: VideoFormat
    created_unix_ms: int
    deadline_unix_ms: int
    def __init__(self, trace: _Optional[_Union[Trace, _Mapping]] = ..., avatar: _Optional[str] = ..., video: _Optional[_Union[VideoFormat, _Mapping]] = ..., created_unix_ms: _Optional[int] = ..., deadline_unix_ms: _Optional[int] = ...) -> None: ...

class StageError(_message.Message):
    __slots__ = ("stage", "code", "message")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    stage: str
    code: str
    message: str
    def __init__(self, stage: _Optional[str] = ..., code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class TextPiece(_message.Message):
    __slots__ = ("text", "last", "citations", "error", "created_unix_ms", "notice", "calls")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    text: str
    last: bool
    citations: _containers.RepeatedScalarFieldContainer[str]
    error: StageError
    created_unix_ms: int
    notice: StageError
    calls: _containers.RepeatedCompositeFieldContainer[ToolCall]
    def __init__(self, text: _Optional[str] = ..., last: _Optional[bool] = ..., citations: _Optional[_Iterable[str]] = ..., error: _Optional[_Union[StageError, _Mapping]] = ..., created_unix_ms: _Optional[int] = ..., notice: _Optional[_Union[StageError, _Mapping]] = ..., calls: _Optional[_Iterable[_Union[ToolCall, _Mapping]]] = ...) -> None: ...

class Phone(_message.Message):
    __slots__ = ("symbol", "end_samples")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    END_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    end_samples: int
    def __init__(self, symbol: _Optional[str] = ..., end_samples: _Optional[int] = ...) -> None: ...

class Word(_message.Message):
    __slots__ = ("text", "start_samples", "end_samples", "confidence")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    END_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    text: str
    start_samples: int
    end_samples: int
    confidence: float
    def __init__(self, text: _Optional[str] = ..., start_samples: _Optional[int] = ..., end_samples: _Optional[int] = ..., confidence: _Optional[float] = ...) -> None: ...

class SpeechPiece(_message.Message):
    __slots__ = ("pts_samples", "pcm", "phones", "clause", "clause_start_samples", "last", "has_phones", "error", "created_unix_ms")
    PTS_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    PCM_FIELD_NUMBER: _ClassVar[int]
    PHONES_FIELD_NUMBER: _ClassVar[int]
    CLAUSE_FIELD_NUMBER: _ClassVar[int]
    CLAUSE_START_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    HAS_PHONES_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    pts_samples: int
    pcm: bytes
    phones: _containers.RepeatedCompositeFieldContainer[Phone]
    clause: int
    clause_start_samples: int
    last: bool
    has_phones: bool
    error: StageError
    created_unix_ms: int
    def __init__(self, pts_samples: _Optional[int] = ..., pcm: _Optional[bytes] = ..., phones: _Optional[_Iterable[_Union[Phone, _Mapping]]] = ..., clause: _Optional[int] = ..., clause_start_samples: _Optional[int] = ..., last: _Optional[bool] = ..., has_phones: _Optional[bool] = ..., error: _Optional[_Union[StageError, _Mapping]] = ..., created_unix_ms: _Optional[int] = ...) -> None: ...

class VideoFrame(_message.Message):
    __slots__ = ("pts_samples", "keyframe", "data")
    PTS_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    KEYFRAME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    pts_samples: int
    keyframe: bool
    data: bytes
    def __init__(self, pts_samples: _Optional[int] = ..., keyframe: _Optional[bool] = ..., data: _Optional[bytes] = ...) -> None: ...

class VideoPiece(_message.Message):
    __slots__ = ("frames", "last", "codec", "error", "created_unix_ms", "engine")
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATED_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[VideoFrame]
    last: bool
    codec: str
    error: StageError
    created_unix_ms: int
    engine: str
    def __init__(self, frames: _Optional[_Iterable[_Union[VideoFrame, _Mapping]]] = ..., last: _Optional[bool] = ..., codec: _Optional[str] = ..., error: _Optional[_Union[StageError, _Mapping]] = ..., created_unix_ms: _Optional[int] = ..., engine: _Optional[str] = ...) -> None: ...
