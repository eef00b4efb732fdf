from proto.parley.v1 import chain_pb2 as _chain_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SpeakRequest(_message.Message):
    __slots__ = ("avatar", "voice", "speed", "piece")
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    avatar: str
    voice: str
    speed: float
    piece: _chain_pb2.TextPiece
    def __init__(self, avatar: _Optional[str] = ..., voice: _Optional[str] = ..., speed: _Optional[float] = ..., piece: _Optional[_Union[_chain_pb2.TextPiece, _Mapping]] = ...) -> None: ...
