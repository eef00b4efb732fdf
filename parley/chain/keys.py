"""Names of the chain's keys in Redis, and what an entry looks like there.

| key | type | holds |
| --- | --- | --- |
| `turns`, `sentences`, `utterances` | stream | work items in field `p`; groups `llm`, `tts`, `sda` |
| `out:{session}:text`, `:audio`, `:video` | stream | pieces in `p`, flushes in `f` |
| `session:{session}` | hash | `generation`, and of it `played`, `owner:{stage}`, `asked:{stage}` |
| `ctl:{session}` | stream | hints to workers: `g` = the generation is this now, `s` = samples played |
| `foreseen:{session}:{time}` | string | a hint (channel `foreseen`) was taken |
| `wake:{process}` | stream | makes a process's blocking read return |
"""

from typing import Final

from parley.chain.interface import Entry, Track
from parley.chain.pieces import PIECE_OF

SESSION_TTL_S: Final = 600
WORK_MAXLEN: Final = 10_000  # nets against a runaway, never reached by a working system
OUTPUT_MAXLEN: Final = 20_000

Id = tuple[int, int]
Fields = dict[bytes, bytes]

PAYLOAD: Final = b"p"
CONTROL_GENERATION: Final = b"g"
CONTROL_PLAYED: Final = b"s"


def session_key(session: str) -> str:
    """The session's hash."""
    return f"session:{session}"


def output_key(session: str, track: Track) -> str:
    """The session's output stream of a track."""
    return f"out:{session}:{track}"


def output_keys(session: str) -> list[str]:
    """All three output streams, in the order of `Track`."""
    return [output_key(session, track) for track in Track]


def control_key(session: str) -> str:
    """The session's hints to workers."""
    return f"ctl:{session}"


def parse_id(raw: bytes | str) -> Id:
    """A stream id as two numbers, which compare as Redis compares them."""
    text = raw.decode() if isinstance(raw, bytes) else raw
    high, low = text.split("-")
    return int(high), int(low)


def format_id(identity: Id) -> str:
    """The inverse of `parse_id`."""
    return f"{identity[0]}-{identity[1]}"


def decode_entry(track: Track, identity: Id, fields: Fields) -> Entry:
    """One entry of an output stream."""
    payload = fields.get(PAYLOAD)
    piece = None if payload is None else PIECE_OF[track].FromString(payload)
    return Entry(track, identity[0], identity[1], piece)
