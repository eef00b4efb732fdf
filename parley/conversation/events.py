"""What a conversation tells its front (the websocket, or a program): plain values, in order of happening."""

from dataclasses import dataclass, field
from enum import StrEnum


class Activity(StrEnum):
    """What the avatar is doing, for people to see."""

    LISTENING = "listening"
    HEARING = "hearing"
    THINKING = "thinking"
    SPEAKING = "speaking"


class ReplyStatus(StrEnum):
    """How a reply ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ActivityChanged:
    activity: Activity


@dataclass(frozen=True, slots=True)
class UserSpeechStarted:
    """`at_ms`: on the input clock (audio received since the conversation opened)."""

    item_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class UserSpeechStopped:
    item_id: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class UserPartial:
    """The whole partial transcript of the turn; its first `stable_chars` will not change."""

    item_id: str
    text: str
    stable_chars: int


@dataclass(frozen=True, slots=True)
class UserTurnCommitted:
    """The person's turn is over. `transcript` follows in UserTranscript."""

    item_id: str


@dataclass(frozen=True, slots=True)
class UserTranscript:
    """Authoritative; `error` not empty: transcription failed for that reason."""

    item_id: str
    text: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class UserTurnDropped:
    """What was heard turned out to be no turn (noise, a cough, cleared input)."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    response_id: str
    item_id: str
    generation: int
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class ReplyText:
    """One clause of the reply's text, with its own spacing."""

    generation: int
    text: str
    citations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyCall:
    """The reply calls a function of the front's: `arguments` is JSON as the model wrote it.

    The front answers with `add_result` and `respond`.
    """

    generation: int
    item_id: str
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """`pcm`: s16le mono 24 kHz. `seq` from 1 without gaps. `last`: nothing follows."""

    generation: int
    seq: int
    pts_samples: int
    pcm: bytes
    last: bool


@dataclass(frozen=True, slots=True)
class ReplyVideo:
    """One encoded frame that shows the instant `pts_samples`."""

    generation: int
    seq: int
    pts_samples: int
    data: bytes
    keyframe: bool
    last: bool


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """`text`: all that was generated. `heard`: the part that the person heard (= history).

    COMPLETED is told when all of the reply was sent, not when it was played.
    """

    response_id: str
    item_id: str
    generation: int
    status: ReplyStatus
    text: str
    heard: str
    error_code: str = ""
    error_message: str = ""


@dataclass(frozen=True, slots=True)
class Paused:
    """Possible barge-in: be silent at once, keep what is queued (Resumed or Flushed follows)."""

    generation: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """False interruption: go on where it stopped."""

    generation: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """Drop all media of generations below `generation`."""

    generation: int


@dataclass(frozen=True, slots=True)
class ItemTruncated:
    """History of an assistant item was cut to what was heard."""

    item_id: str
    heard_ms: int
    heard: str


@dataclass(frozen=True, slots=True)
class TurnLatency:
    """Milliseconds from the true end of the person's speech (input clock), per stage; missing = not measured.

    Keys: endpoint (decision), asr_final, llm_first_clause, tts_first_audio, sda_first_frame,
    first_audio_sent, first_video_sent. All are measured from the end of speech.
    """

    generation: int
    ms: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure that the person must see. The conversation lives on."""

    code: str
    message: str


ConversationEvent = (
    ActivityChanged
    | UserSpeechStarted
    | UserSpeechStopped
    | UserPartial
    | UserTurnCommitted
    | UserTranscript
    | UserTurnDropped
    | ReplyStarted
    | ReplyText
    | ReplyCall
    | ReplyAudio
    | ReplyVideo
    | ReplyDone
    | Paused
    | Resumed
    | Flushed
    | ItemTruncated
    | TurnLatency
    | Problem
)
