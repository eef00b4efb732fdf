"""The session's configuration: what clients may set, how it merges, what it means for the conversation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from gateway.realtime import tools as functions
from gateway.realtime.strict import Strict
from gateway.realtime.tools import MAX_TOOLS, FunctionTool, ToolChoice
from parley.avatars import Avatar
from parley.conversation.interface import ConversationConfig, TurnDetection
from parley.media.clock import FPS, SAMPLE_RATE_HZ
from proto.parley.v1 import chain_pb2

PERSON: Final = "[A-Za-z0-9_-]{22,128}"
_PCM: Final = {"type": "audio/pcm", "rate": SAMPLE_RATE_HZ}


class PcmFormat(Strict):
    """The one audio format, both ways."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24000] = 24000


class ServerVad(Strict):
    """`silence_duration_ms` is the pause that ends a turn which sounds complete; others get up to 1.5 s."""

    type: Literal["server_vad"]
    threshold: float | None = Field(default=None, ge=0, le=1)
    prefix_padding_ms: int | None = Field(default=None, ge=0, le=5000)
    silence_duration_ms: int | None = Field(default=None, ge=100, le=10_000)
    create_response: bool | None = None
    interrupt_response: bool | None = None
    idle_timeout_ms: int | None = Field(default=None, ge=0)


class SemanticVad(Strict):
    """`eagerness` scales all pauses."""

    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] | None = None
    create_response: bool | None = None
    interrupt_response: bool | None = None


Vad = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class Transcription(Strict):
    """`keywords`, and `prompt` if it is a comma-separated list, are words that the ears should expect."""

    model: str | None = None
    language: str | None = Field(default=None, max_length=35)
    languages: list[str] | None = None
    prompt: str | None = Field(default=None, max_length=4000)
    keywords: list[str] | None = Field(default=None, max_length=200)
    delay: Any = None


class AudioInput(Strict):
    """How the microphone is understood. `noise_reduction` is accepted and has no effect."""

    format: PcmFormat | None = None
    turn_detection: Vad | None = None
    transcription: Transcription | None = None
    noise_reduction: Any = None


class AudioOutput(Strict):
    """Accepted for compatibility; an avatar has one voice, which `session.updated` names."""

    format: PcmFormat | None = None
    voice: str | dict[str, str] | None = None
    speed: float | None = Field(default=None, ge=0.25, le=1.5)


class AudioConfig(Strict):
    """Both ways."""

    input: AudioInput | None = None
    output: AudioOutput | None = None


class Face(Strict):
    """The face that a client asks for.

    Attributes:
        video: Codec of the frames; "none": no face.
        media: "binary": audio and video as binary messages; "json": audio stays base64, no video.
        greet: Whether the avatar says its greeting when the conversation is new.
    """

    video: Literal["h264", "vp8", "jpeg", "none"] = "h264"
    media: Literal["binary", "json"] = "binary"
    greet: bool = False


class Memory(Strict):
    """Asks to be remembered. `person`: a secret of the client's own making; who knows it is that person."""

    person: str = Field(pattern=f"^{PERSON}$")


class SessionUpdate(Strict):
    """The `session` of `session.update`; only what is present changes. Fields typed Any have no effect."""

    type: Literal["realtime"] = "realtime"
    model: str | None = None
    instructions: str | None = Field(default=None, max_length=32_000)
    output_modalities: list[Literal["text", "audio"]] | None = Field(default=None, min_length=1, max_length=1)
    audio: AudioConfig | None = None
    avatar: Face | None = None
    memory: Memory | None = None
    tools: list[FunctionTool] | None = Field(default=None, max_length=MAX_TOOLS)
    tool_choice: ToolChoice | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=4096)] | Literal["inf"] | None = None
    parallel_tool_calls: Any = None
    include: Any = None
    prompt: Any = None
    reasoning: Any = None
    tracing: Any = None
    truncation: Any = None


DEFAULT_VAD: Final = ServerVad(type="server_vad")
DEFAULT_TRANSCRIPTION: Final = Transcription()


@dataclass(frozen=True, slots=True)
class SessionState:
    """The configuration in force.

    Attributes:
        vad: None: push-to-talk, the client commits.
        transcription: None: no transcription events.
        text_only: Replies are not spoken.
        face: None: a plain Realtime client.
        memory: None: the person is not remembered.
        tools: Functions that the client runs.
        tool_choice: Whether and which the avatar calls.
    """

    vad: ServerVad | SemanticVad | None = DEFAULT_VAD
    transcription: Transcription | None = DEFAULT_TRANSCRIPTION
    instructions: str = ""
    text_only: bool = False
    face: Face | None = None
    memory: Memory | None = None
    tools: tuple[FunctionTool, ...] = ()
    tool_choice: ToolChoice = "auto"

    @property
    def binary(self) -> bool:
        """Whether media goes out as binary messages."""
        return self.face is not None and self.face.media == "binary"

    @property
    def codec(self) -> str:
        """Codec of the video that is sent; empty: none."""
        return self.face.video if self.face and self.binary and self.face.video != "none" else ""

    def merged(self, update: SessionUpdate) -> "SessionState":
        """This configuration with what `update` sets; null resets a field."""
        changes: dict[str, Any] = {}
        given = update.model_fields_set
        if "instructions" in given:
            changes["instructions"] = update.instructions or ""
        if "output_modalities" in given:
            changes["text_only"] = update.output_modalities == ["text"]
        if "avatar" in given:
            changes["face"] = update.avatar
        if "memory" in given:
            changes["memory"] = update.memory
        if "tools" in given:
            changes["tools"] = tuple(update.tools or ())
        if "tool_choice" in given:
            changes["tool_choice"] = update.tool_choice or "auto"
        audio_in = update.audio.input if update.audio else None
        if audio_in and "turn_detection" in audio_in.model_fields_set:
            changes["vad"] = audio_in.turn_detection
        if audio_in and "transcription" in audio_in.model_fields_set:
            changes["transcription"] = audio_in.transcription
        return replace(self, **changes)

    def conversation_config(self, facts: Sequence[str] = ()) -> ConversationConfig:
        """What this means for the conversation. The face has the size that its engine draws.

        Args:
            facts: What is remembered of the person.
        """
        spoken = self.transcription or DEFAULT_TRANSCRIPTION
        listed = (spoken.prompt or "").split(",") if "," in (spoken.prompt or "") else []
        return ConversationConfig(
            turn_detection=_turn_detection(self.vad),
            instructions=self.instructions,
            want_audio=not self.text_only,
            video=chain_pb2.VideoFormat(codec=self.codec, fps=FPS) if self.codec else None,
            reports_playback=self.face is not None,
            can_pause=self.face is not None,
            language=spoken.language or "",
            facts=tuple(facts),
            tools=functions.for_the_mind(self.tools),
            tool_choice=functions.choice_for_the_mind(self.tool_choice),
            hotwords=tuple(w.strip() for w in (*(spoken.keywords or ()), *listed) if w.strip()),
        )

    def shown(self, session: str, avatar: Avatar) -> dict[str, Any]:
        """The `session` object of `session.created` and `session.updated`, without `avatar`."""
        return {
            "type": "realtime",
            "object": "realtime.session",
            "id": session,
            "model": avatar.name,
            "output_modalities": ["text"] if self.text_only else ["audio"],
            "instructions": self.instructions,
            "tools": [tool.shown() for tool in self.tools],
            "tool_choice": functions.shown_choice(self.tool_choice),
            "max_output_tokens": "inf",
            "tracing": None,
            "prompt": None,
            "include": None,
            "audio": {
                "input": {
                    "format": _PCM,
                    "transcription": self._shown_transcription(),
                    "noise_reduction": None,
                    "turn_detection": _shown_vad(self.vad),
                },
                "output": {"format": _PCM, "voice": avatar.voice.voice, "speed": avatar.voice.speed},
            },
        }

    def _shown_transcription(self) -> dict[str, Any] | None:
        if self.transcription is None:
            return None
        return {k: v for k, v in self.transcription.model_dump().items() if v is not None}


def _turn_detection(vad: ServerVad | SemanticVad | None) -> TurnDetection:
    if vad is None:
        return TurnDetection(enabled=False)
    base = TurnDetection(
        interrupt=vad.interrupt_response is not False, create_response=vad.create_response is not False
    )
    if isinstance(vad, ServerVad):
        pause = vad.silence_duration_ms or base.complete_pause_ms
        return replace(
            base,
            threshold=base.threshold if vad.threshold is None else vad.threshold,
            complete_pause_ms=pause,
            incomplete_pause_ms=max(pause, base.incomplete_pause_ms),
            max_pause_ms=max(pause, base.max_pause_ms),
        )
    scale = {"low": 2.0, "high": 0.7}.get(vad.eagerness or "auto", 1.0)
    return replace(
        base,
        complete_pause_ms=round(base.complete_pause_ms * scale),
        incomplete_pause_ms=round(base.incomplete_pause_ms * scale),
        max_pause_ms=round(base.max_pause_ms * scale),
    )


def _shown_vad(vad: ServerVad | SemanticVad | None) -> dict[str, Any] | None:
    if vad is None:
        return None
    meaning = _turn_detection(vad)
    shared = {"create_response": meaning.create_response, "interrupt_response": meaning.interrupt}
    if isinstance(vad, SemanticVad):
        return {"type": "semantic_vad", "eagerness": vad.eagerness or "auto", **shared}
    return {
        "type": "server_vad",
        "threshold": meaning.threshold,
        "prefix_padding_ms": 300 if vad.prefix_padding_ms is None else vad.prefix_padding_ms,
        "silence_duration_ms": meaning.complete_pause_ms,
        "idle_timeout_ms": None,
        **shared,
    }
