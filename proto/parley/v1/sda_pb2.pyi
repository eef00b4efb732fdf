from proto.parley.v1 import chain_pb2 as _chain_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnimateRequest(_message.Message):
    __slots__ = ("avatar", "video", "piece")
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    PIECE_FIELD_NUMBER: _ClassVar[int]
    avatar: str
    video: _chain_pb2.VideoFormat
    piece: _chain_pb2.SpeechPiece
    def __init__(self, avatar: _Optional[str] = ..., video: _Optional[_Union[_chain_pb2.VideoFormat, _Mapping]] = ..., piece: _Optional[_Union[_chain_pb2.SpeechPiece, _Mapping]] = ...) -> None: ...

class IdleRequest(_message.Message):
    __slots__ = ("avatar", "video")
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    VIDEO_FIELD_NUMBER: _ClassVar[int]
    avatar: str
    video: _chain_pb2.VideoFormat
    def __init__(self, avatar: _Optional[str] = ..., video: _Optional[_Union[_chain_pb2.VideoFormat, _Mapping]] = ...) -> None: ...
