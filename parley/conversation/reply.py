"""The books of one reply: what was made of it, what was sent, what was heard, and how long it all took."""

from dataclasses import dataclass, field

from parley.chain.interface import Entry, Stage
from parley.conversation.clocks import PlaybackClock
from parley.conversation.events import TurnLatency
from parley.conversation.heard import heard_text
from parley.media.clock import BYTES_PER_SAMPLE, FRAME_SAMPLES
from proto.parley.v1 import chain_pb2 as pb


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a stage may be silent, in seconds, while the person hears nothing new.

    Attributes:
        llm_s: Without text.
        voice_s: Without audio; time enough for another worker, or a restarted one, to take over.
        face_s: Without the last of the video, once all of the voice was heard.
        front_s: Without playing what it has, for fronts that report.
    """

    llm_s: float = 2.0
    voice_s: float = 8.0
    face_s: float = 1.0
    front_s: float = 30.0


@dataclass
class LiveReply:
    """One reply.

    Attributes:
        generation: Its number.
        response_id: "resp_…".
        item_id: "item_…", its message in the history.
        want_audio: False: text only.
        want_video: Whether frames are expected.
        codec: Theirs.
        playback: What of it was heard.
        speech_ended_at: When the person had spoken their last sample (loop time); None: it answers no speech.
        progress_at: When anything last happened to it.
        withheld: Entries kept back, with their time of arrival, while it is a guess; None once released.
        text: All of it so far.
        calls: It calls functions.
        ended: ReplyDone was put out; nothing more is sent.
        failed: It ended by a failure.
        done_sent: The front has taken ReplyDone.
        sounding: The front has taken its first audio.
        reported: The playback position that the chain was last told.
        seen: The playback position when it was last looked at.
    """

    generation: int
    response_id: str
    item_id: str
    want_audio: bool
    want_video: bool
    codec: str
    playback: PlaybackClock
    speech_ended_at: float | None
    progress_at: float
    withheld: list[tuple[Entry, float]] | None = None
    text: str = ""
    calls: bool = False
    text_done: bool = False
    audio_end: int = 0
    audio_done: bool = False
    frames: int = 0
    video_done: bool = False
    ended: bool = False
    failed: bool = False
    done_sent: bool = False
    sounding: bool = False
    reported: int = 0
    seen: int = 0
    _offsets: dict[int, int] = field(default_factory=dict)
    _starts: dict[int, int] = field(default_factory=dict)
    _latency_ms: dict[str, float] = field(default_factory=dict)
    _latency_told: bool = False

    def __post_init__(self) -> None:
        self.audio_done = not self.want_audio
        self.video_done = not (self.want_audio and self.want_video)

    @property
    def marks_ms(self) -> dict[str, float]:
        """When each stage was reached, from the end of the person's speech; empty: it answers none."""
        return dict(self._latency_ms)

    # ---- what arrives ----------------------------------------------------------------------------------

    def add_text(self, seq: int, piece: pb.TextPiece) -> None:
        """A clause of the text; `seq` is its number."""
        self._offsets[seq] = len(self.text)
        self.text += piece.text
        self.calls = self.calls or bool(piece.calls)
        self.text_done = self.text_done or piece.last
        if self.text_done and not self.text.strip():
            self.audio_done = self.video_done = True  # nothing is said, so no voice is waited for

    def add_speech(self, piece: pb.SpeechPiece) -> None:
        """A stretch of speech."""
        self.audio_end = piece.pts_samples + len(piece.pcm) // BYTES_PER_SAMPLE
        self.audio_done = self.audio_done or piece.last
        if piece.clause in self._offsets:
            self._starts[self._offsets[piece.clause]] = piece.clause_start_samples

    def complete(self) -> bool:
        """Whether all of it was made."""
        return self.text_done and self.audio_done and self.video_done

    # ---- what is heard ---------------------------------------------------------------------------------

    def heard(self, played_samples: int) -> str:
        """The part of the text that `played_samples` of audio said; without a voice, all there is."""
        if not self.want_audio:
            return self.text
        return heard_text(
            self.text,
            sorted(self._starts.items()),
            played_samples=played_samples,
            end_samples=self.audio_end if self.audio_done and self.text_done else None,
        )

    def played_out(self, now: float) -> bool:
        """Whether the person has heard all that was made, to within a video frame."""
        return self.playback.position(now) >= self.audio_end - FRAME_SAMPLES

    def overdue(self, now: float, patience: Patience) -> tuple[Stage | None, float]:
        """Who would be to blame if nothing more happened (None: the front), and from when on."""
        if self.playback.paused:
            return None, float("inf")
        if not self.played_out(now):
            return None, self.progress_at + patience.front_s
        if not self.text_done:
            return Stage.LLM, self.progress_at + patience.llm_s
        if not self.audio_done:
            return Stage.TTS, self.progress_at + patience.voice_s
        return Stage.SDA, self.progress_at + patience.face_s

    # ---- how long it took ------------------------------------------------------------------------------

    def mark(self, stage: str, at: float) -> None:
        """Notes the first time that `stage` was reached."""
        if self.speech_ended_at is not None and stage not in self._latency_ms:
            self._latency_ms[stage] = round((at - self.speech_ended_at) * 1000, 1)

    def latency(self, *, final: bool = False) -> TurnLatency | None:
        """The read-out, once: when the last stage was reached, or what there is when `final`."""
        faceless = not self.want_video or (self.video_done and not self.frames)
        last = "first_audio_sent" if faceless else "first_video_sent"
        ready = last in self._latency_ms or final
        if self._latency_told or not self._latency_ms or not ready:
            return None
        self._latency_told = True
        return TurnLatency(self.generation, dict(self._latency_ms))
