"""What turn-taking wants done, in this order. `turn` numbers the person's turns from 1."""

from dataclasses import dataclass

from parley.conversation.events import Activity


@dataclass(frozen=True, slots=True)
class Finalize:
    """Ask the ears for the transcript of the turn so far."""

    id: int


@dataclass(frozen=True, slots=True)
class ResetEars:
    """Have the ears forget the turn."""


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """The person has begun to speak, and it is no mere backchannel."""

    turn: int
    at_samples: int


@dataclass(frozen=True, slots=True)
class ShowPartial:
    turn: int
    text: str
    stable_chars: int


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The person's turn is over; `Transcribe` follows, at once unless the front ended it by hand."""

    turn: int
    at_samples: int


@dataclass(frozen=True, slots=True)
class Transcribe:
    """What was said in a turn that ended; `error` not empty: nobody knows, for that reason."""

    turn: int
    text: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class DropTurn:
    """What was heard is no turn."""

    turn: int


@dataclass(frozen=True, slots=True)
class StartReply:
    """Have the chain work on a reply.

    Attributes:
        generation: The reply's number; greater than any before.
        heard: The person's words that the history does not hold yet (speculation), else empty.
        speculative: Keep its output back until `ReleaseReply`; the front must not know of it.
        instructions: As in `inputs.Respond`.
        verbatim: As in `inputs.Respond`.
    """

    generation: int
    heard: str = ""
    speculative: bool = False
    instructions: str = ""
    verbatim: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseReply:
    """The speculation held: let the reply's output flow."""

    generation: int


@dataclass(frozen=True, slots=True)
class Flush:
    """Void every generation below `generation`. Not `announced`: the front never knew of that reply."""

    generation: int
    announced: bool


@dataclass(frozen=True, slots=True)
class PauseOutput:
    generation: int


@dataclass(frozen=True, slots=True)
class ResumeOutput:
    generation: int


@dataclass(frozen=True, slots=True)
class NothingToAnswer:
    """A reply was asked for to a turn that held no words."""

    error: str


@dataclass(frozen=True, slots=True)
class Overtaken:
    """A reply that waited for the end of another is not made: something came in between."""


@dataclass(frozen=True, slots=True)
class ShowActivity:
    activity: Activity


Command = (
    Finalize
    | ResetEars
    | OpenTurn
    | ShowPartial
    | EndTurn
    | Transcribe
    | DropTurn
    | StartReply
    | ReleaseReply
    | Flush
    | PauseOutput
    | ResumeOutput
    | NothingToAnswer
    | Overtaken
    | ShowActivity
)
