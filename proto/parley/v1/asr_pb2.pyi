from proto.parley.v1 import chain_pb2 as _chain_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListenConfig(_message.Message):
    __slots__ = ("session", "avatar", "language", "hotwords", "vad", "vad_threshold")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    HOTWORDS_FIELD_NUMBER: _ClassVar[int]
    VAD_FIELD_NUMBER: _ClassVar[int]
    VAD_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    session: str
    avatar: str
    language: str
    hotwords: _containers.RepeatedScalarFieldContainer[str]
    vad: bool
    vad_threshold: float
    def __init__(self, session: _Optional[str] = ..., avatar: _Optional[str] = ..., language: _Optional[str] = ..., hotwords: _Optional[_Iterable[str]] = ..., vad: _Optional[bool] = ..., vad_threshold: _Optional[float] = ...) -> None: ...

class ListenRequest(_message.Message):
    __slots__ = ("config", "pcm", "finalize", "reset")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    PCM_FIELD_NUMBER: _ClassVar[int]
    FINALIZE_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    config: ListenConfig
    pcm: bytes
    finalize: Finalize
    reset: Reset
    def __init__(self, config: _Optional[_Union[ListenConfig, _Mapping]] = ..., pcm: _Optional[bytes] = ..., finalize: _Optional[_Union[Finalize, _Mapping]] = ..., reset: _Optional[_Union[Reset, _Mapping]] = ...) -> None: ...

class Finalize(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: int
    def __init__(self, id: _Optional[int] = ...) -> None: ...

class Reset(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListenEvent(_message.Message):
    __slots__ = ("speech_started", "speech_stopped", "pause", "partial", "final", "ready", "leaving")
    SPEECH_STARTED_FIELD_NUMBER: _ClassVar[int]
    SPEECH_STOPPED_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    LEAVING_FIELD_NUMBER: _ClassVar[int]
    speech_started: SpeechStarted
    speech_stopped: SpeechStopped
    pause: Pause
    partial: Partial
    final: Final
    ready: Ready
    leaving: Leaving
    def __init__(self, speech_started: _Optional[_Union[SpeechStarted, _Mapping]] = ..., speech_stopped: _Optional[_Union[SpeechStopped, _Mapping]] = ..., pause: _Optional[_Union[Pause, _Mapping]] = ..., partial: _Optional[_Union[Partial, _Mapping]] = ..., final: _Optional[_Union[Final, _Mapping]] = ..., ready: _Optional[_Union[Ready, _Mapping]] = ..., leaving: _Optional[_Union[Leaving, _Mapping]] = ...) -> None: ...

class Ready(_message.Message):
    __slots__ = ("engine", "model")
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    engine: str
    model: str
    def __init__(self, engine: _Optional[str] = ..., model: _Optional[str] = ...) -> None: ...

class Leaving(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SpeechStarted(_message.Message):
    __slots__ = ("at_samples",)
    AT_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    at_samples: int
    def __init__(self, at_samples: _Optional[int] = ...) -> None: ...

class SpeechStopped(_message.Message):
    __slots__ = ("at_samples",)
    AT_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    at_samples: int
    def __init__(self, at_samples: _Optional[int] = ...) -> None: ...

class Pause(_message.Message):
    __slots__ = ("heard_samples",)
    HEARD_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    heard_samples: int
    def __init__(self, heard_samples: _Optional[int] = ...) -> None: ...

class Partial(_message.Message):
    __slots__ = ("text", "stable_chars", "heard_samples")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    STABLE_CHARS_FIELD_NUMBER: _ClassVar[int]
    HEARD_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    text: str
    stable_chars: int
    heard_samples: int
    def __init__(self, text: _Optional[str] = ..., stable_chars: _Optional[int] = ..., heard_samples: _Optional[int] = ...) -> None: ...

class Final(_message.Message):
    __slots__ = ("id", "text", "words", "confidence", "heard_samples", "decode_ms", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    HEARD_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    DECODE_MS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: int
    text: str
    words: _containers.RepeatedCompositeFieldContainer[_chain_pb2.Word]
    confidence: float
    heard_samples: int
    decode_ms: float
    error: str
    def __init__(self, id: _Optional[int] = ..., text: _Optional[str] = ..., words: _Optional[_Iterable[_Union[_chain_pb2.Word, _Mapping]]] = ..., confidence: _Optional[float] = ..., heard_samples: _Optional[int] = ..., decode_ms: _Optional[float] = ..., error: _Optional[str] = ...) -> None: ...
