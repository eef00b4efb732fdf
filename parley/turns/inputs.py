"""What can happen to a conversation's turn-taking. `samples` are on the input clock (24 000 Hz)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """More microphone audio arrived; `samples` is the input clock now."""

    samples: int


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    at_samples: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """`at_samples`: where speech ended, which is before it was noticed."""

    at_samples: int


@dataclass(frozen=True, slots=True)
class PauseHeard:
    """Silence goes on; audio up to `heard_samples` was looked at."""

    heard_samples: int


@dataclass(frozen=True, slots=True)
class PartialHeard:
    text: str
    stable_chars: int


@dataclass(frozen=True, slots=True)
class FinalHeard:
    """Answer to `commands.Finalize` of that id.

    `error` not empty: transcription failed. `confidence` is 0…1, and 0 where the ears cannot tell.
    """

    id: int
    text: str
    error: str = ""
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class EarsLost:
    """Whatever was heard and not yet transcribed is lost."""


@dataclass(frozen=True, slots=True)
class CommitByHand:
    """The front ends the person's turn (push-to-talk)."""


@dataclass(frozen=True, slots=True)
class ClearInput:
    """The front discards the person's turn."""


@dataclass(frozen=True, slots=True)
class Respond:
    """The front asks for a reply to the history as it stands, or to have `verbatim` said.

    `patient`: a reply that runs may finish first; an interruption takes the request back.
    """

    instructions: str = ""
    verbatim: str = ""
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The front stops the reply (a button)."""


@dataclass(frozen=True, slots=True)
class ReplySounds:
    """First media of that reply went to the front."""

    generation: int


@dataclass(frozen=True, slots=True)
class ReplyOver:
    """That reply was sent and played to its end, or failed: the floor is free."""

    generation: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; wanted at `TurnMachine.deadline`."""


Input = (
    Heard
    | SpeechStarted
    | SpeechStopped
    | PauseHeard
    | PartialHeard
    | FinalHeard
    | EarsLost
    | CommitByHand
    | ClearInput
    | Respond
    | Interrupt
    | ReplySounds
    | ReplyOver
    | Tick
)
