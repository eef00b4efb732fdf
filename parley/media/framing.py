"""Binary media messages of the websocket: one self-contained header each, little-endian.

`version u8 = 1 | kind u8 | flags u16 | generation u32 | seq u32 | pts_samples u64 | length u32 | payload`
"""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from parley.errors import BadRequest

VERSION = 1
HEADER = struct.Struct("<BBHIIQI")
MAX_PAYLOAD_BYTES = 1 << 20


class Kind(IntEnum):
    """What the payload is."""

    PCM16 = 1
    OPUS = 2
    VIDEO = 3
    IDLE_LOOP = 4


class Flags(IntFlag):
    """Bits of the header's flags field."""

    NONE = 0
    KEYFRAME = 1
    END_OF_REPLY = 2
    CODEC_CONFIG = 4


@dataclass(frozen=True, slots=True)
class MediaMessage:
    """One binary message.

    Attributes:
        kind: What the payload is.
        generation: The reply that it belongs to; 0 for microphone audio and the idle loop.
        seq: Grows by one per message of a kind within a generation, from 1.
        pts_samples: Media clock, 24 000 Hz.
        payload: At most `MAX_PAYLOAD_BYTES`.
        flags: See `Flags`.
    """

    kind: Kind
    generation: int
    seq: int
    pts_samples: int
    payload: bytes
    flags: Flags = Flags.NONE

    def pack(self) -> bytes:
        """The message as sent."""
        return (
            HEADER.pack(
                VERSION, self.kind, self.flags, self.generation, self.seq, self.pts_samples, len(self.payload)
            )
            + self.payload
        )

    @classmethod
    def unpack(cls, data: bytes) -> "MediaMessage":
        """Parses one message.

        Raises:
            BadRequest: Too short, wrong version, unknown kind or flags, or a length that does not match.
        """
        if len(data) < HEADER.size:
            raise BadRequest(
                f"A binary message needs a {HEADER.size} byte header, this has {len(data)} bytes."
            )
        version, kind, flags, generation, seq, pts, length = HEADER.unpack_from(data)
        if version != VERSION:
            raise BadRequest(f"Media version {version} is not known.", fix=f"Send version {VERSION}.")
        if kind not in Kind._value2member_map_:
            raise BadRequest(f"Media kind {kind} is not known.", fix="Send kind 1 (pcm16) or 2 (opus).")
        if flags & ~0b111:
            raise BadRequest(f"Media flags {flags:#x} are not known.")
        if length > MAX_PAYLOAD_BYTES or length != len(data) - HEADER.size:
            raise BadRequest(f"The header says {length} payload bytes, {len(data) - HEADER.size} came.")
        return cls(Kind(kind), generation, seq, pts, data[HEADER.size :], Flags(flags))
