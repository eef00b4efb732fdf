"""The avatar's side of a conversation: one reply at a time, from the request to the last sample heard."""

import dataclasses
import logging
import time
import uuid
from collections.abc import Callable

from parley.avatars import Avatar
from parley.chain.interface import Entry, Stage, Track
from parley.conversation.chain_link import ChainLink
from parley.conversation.clocks import PlaybackClock
from parley.conversation.events import (
    ConversationEvent,
    ItemTruncated,
    Paused,
    Problem,
    ReplyAudio,
    ReplyCall,
    ReplyDone,
    ReplyStarted,
    ReplyStatus,
    ReplyText,
    ReplyVideo,
    Resumed,
)
from parley.conversation.history import History
from parley.conversation.interface import ConversationConfig
from parley.conversation.outbox import Outbox
from parley.conversation.reply import LiveReply, Patience
from parley.media.clock import BYTES_PER_SAMPLE, ms_to_samples, samples_to_ms
from parley.telemetry import tracing
from parley.telemetry.metrics import count_generation_drop, observe_hop
from parley.turns.commands import StartReply
from proto.parley.v1 import chain_pb2 as pb

log = logging.getLogger(__name__)

_REPORT_SAMPLES = ms_to_samples(200)
_REPORT_S = 0.25
_LATE_FRAME_SAMPLES = ms_to_samples(200)
_WORTH_SAYING_MS = 30_000
_SILENT = {
    Stage.LLM: ("llm_silent", "The mind says nothing.", "Look at the llm service and its model."),
    Stage.TTS: ("tts_silent", "The voice says nothing.", "Look at the tts service."),
    Stage.SDA: ("sda_silent", "The face does not move.", "Look at the sda service."),
}


class Replies:
    """Starts, forwards, cuts and ends replies."""

    def __init__(
        self,
        *,
        session: str,
        avatar: Avatar,
        chain: ChainLink,
        history: History,
        patience: Patience,
        on_sounds: Callable[[int], None],
        on_over: Callable[[int], None],
        on_front_stalled: Callable[[], None],
    ) -> None:
        """Makes an empty desk.

        Args:
            session: The chain's session.
            avatar: Who answers.
            chain: Where replies are made.
            history: Where they are remembered.
            patience: When silence counts as failure.
            on_sounds: Gets the generation of a reply whose first audio was sent.
            on_over: Gets the generation of a reply that was heard to its end, or failed.
            on_front_stalled: Called when the front does not play what it has.
        """
        self.outbox = Outbox(too_late=self._too_late)
        self._session = session
        self._avatar = avatar
        self._chain = chain
        self._history = history
        self._patience = patience
        self._on_sounds = on_sounds
        self._on_over = on_over
        self._on_front_stalled = on_front_stalled
        self._live: LiveReply | None = None

    # ---- from request to release -----------------------------------------------------------------------

    def start(
        self, command: StartReply, config: ConversationConfig, now: float, speech_ended_at: float | None
    ) -> None:
        """Asks the chain for a reply; announces it unless it is speculative."""
        reply = self._live = LiveReply(
            generation=command.generation,
            response_id=f"resp_{uuid.uuid4().hex[:20]}",
            item_id=f"item_{uuid.uuid4().hex[:20]}",
            want_audio=config.want_audio,
            want_video=config.video is not None and bool(config.video.codec),
            codec=config.video.codec if config.video else "",
            playback=PlaybackClock(reported=config.reports_playback),
            speech_ended_at=speech_ended_at,
            progress_at=now,
            withheld=[] if command.speculative else None,
        )
        turn = self._turn(command.heard, config)
        turn.trace.generation, turn.trace.turn = reply.generation, reply.response_id
        turn.instructions = command.instructions or config.instructions
        turn.deadline_unix_ms = turn.created_unix_ms + _WORTH_SAYING_MS
        turn.verbatim, turn.speculative = command.verbatim, command.speculative
        self._chain.submit(turn)
        if not command.speculative:
            self._announce(reply)

    def foresee(self, heard: str, config: ConversationConfig) -> None:
        """Hints at the turn that begins with the words `heard`."""
        self._chain.foresee(self._turn(heard, config))

    def _turn(self, heard: str, config: ConversationConfig) -> pb.Turn:
        return pb.Turn(
            trace=pb.Trace(session=self._session),
            avatar=self._avatar.name,
            history=self._history.messages(heard),
            instructions=config.instructions,
            want_audio=config.want_audio,
            video=config.video if config.want_audio else None,
            created_unix_ms=int(time.time() * 1000),
            facts=config.facts,
            tools=config.tools,
            tool_choice=config.tool_choice,
        )

    def release(self, now: float) -> None:
        """The speculation held: announces the reply and sends all of it that is ready."""
        reply = self._live
        if reply is None or reply.withheld is None:
            return
        waiting, reply.withheld, reply.progress_at = reply.withheld, None, now
        self._announce(reply)
        self._chain.played(reply.generation, 1)  # the first credit tells the mind that it was no mere guess
        for entry, arrived_at in waiting:
            self._deliver(reply, entry, arrived_at)
        self.check(now)

    def mark(self, stage: str, at: float) -> None:
        """Notes for the latency read-out that the live reply reached `stage`."""
        if self._live:
            self._live.mark(stage, at)

    def _announce(self, reply: LiveReply) -> None:
        previous = self._history.last_id
        self._history.overtake_calls()
        self._history.add(reply.item_id, "assistant", "")
        self.outbox.put(ReplyStarted(reply.response_id, reply.item_id, reply.generation, previous))

    # ---- from the chain to the front -------------------------------------------------------------------

    def take(self, entry: Entry, now: float) -> None:
        """A piece from the chain."""
        reply = self._live
        if entry.piece is None:
            return
        if reply is None or entry.generation != reply.generation or reply.ended:
            count_generation_drop("conversation")
        elif reply.withheld is not None:
            reply.withheld.append((entry, now))
        else:
            self._deliver(reply, entry, now)
            self.check(now)

    def _deliver(self, reply: LiveReply, entry: Entry, arrived_at: float) -> None:
        if reply.ended:
            return
        piece, generation = entry.piece, reply.generation
        reply.progress_at = max(reply.progress_at, arrived_at)
        if piece is None or piece.HasField("error"):
            if piece is not None:
                self._stage_failed(reply, entry.track, piece.error)
        elif isinstance(piece, pb.TextPiece):
            reply.add_text(entry.seq, piece)
            if piece.text or piece.last:
                reply.mark("llm_first_clause", arrived_at)
            if piece.HasField("notice"):
                self.outbox.put(Problem(piece.notice.code, piece.notice.message))
            if piece.text or piece.citations:
                self.outbox.put(ReplyText(generation, piece.text, tuple(piece.citations)))
            for call in piece.calls:
                item_id = f"item_{uuid.uuid4().hex[:20]}"
                self._history.add_call(item_id, call)
                self.outbox.put(ReplyCall(generation, item_id, call.id, call.name, call.arguments))
        elif isinstance(piece, pb.SpeechPiece):
            reply.add_speech(piece)
            reply.mark("tts_first_audio", arrived_at)
            self.outbox.put(ReplyAudio(generation, entry.seq, piece.pts_samples, piece.pcm, piece.last))
        else:
            reply.video_done = reply.video_done or piece.last
            for index, frame in enumerate(piece.frames):
                reply.mark("sda_first_frame", arrived_at)
                reply.frames += 1
                last = piece.last and index == len(piece.frames) - 1
                self.outbox.put(
                    ReplyVideo(generation, reply.frames, frame.pts_samples, frame.data, frame.keyframe, last)
                )

    def _stage_failed(self, reply: LiveReply, track: Track, error: pb.StageError) -> None:
        if track is Track.VIDEO or error.stage == Stage.SDA:
            # A still face is no reason to fall silent.
            self.outbox.put(Problem(error.code, error.message))
            reply.video_done = True
        else:
            self._fail(reply, error.code, error.message)

    def sent(self, event: ConversationEvent, now: float) -> None:
        """The front has taken `event`."""
        reply = self._live
        if reply is None or getattr(event, "generation", None) != reply.generation:
            return
        match event:
            case ReplyAudio():
                reply.playback.send(event.pts_samples + len(event.pcm) // BYTES_PER_SAMPLE, now)
                reply.mark("first_audio_sent", now)
                if not reply.sounding:
                    reply.sounding = True
                    self._on_sounds(reply.generation)
            case ReplyVideo():
                reply.mark("first_video_sent", now)
            case ReplyDone():
                reply.done_sent = True
            case _:
                return
        self.check(now)
        if reply.done_sent:
            self._tell_latency(reply, final=True)

    # ---- the floor -------------------------------------------------------------------------------------

    def played(self, generation: int, samples: int, now: float) -> None:
        """The front's playback position."""
        if self._live and self._live.generation == generation and self._live.playback.report(samples):
            self.check(now)

    def pause(self, generation: int, now: float) -> None:
        """Someone may be interrupting."""
        if self._live:
            self._live.playback.pause(now)
        self.outbox.put(Paused(generation))

    def resume(self, generation: int, now: float) -> None:
        """Nobody did."""
        if self._live:
            self._live.playback.resume(now)
            self._live.progress_at = now
        self.outbox.put(Resumed(generation))

    def flush(self, generation: int, *, announced: bool, now: float) -> None:
        """Stops the reply at once; of an announced one, history keeps what was heard."""
        self._chain.flush(generation)
        reply, self._live = self._live, None
        if not announced or reply is None:
            return
        self._trace(reply, now, "interrupted")
        unsent = self.outbox.flush(generation)
        if reply.calls:
            self._history.overtake_calls(all_open=True)
        position = reply.playback.position(now)
        heard = reply.heard(position)
        if not (reply.ended and reply.played_out(now)):
            self._remember(reply, heard)
            if reply.want_audio:
                self.outbox.put(ItemTruncated(reply.item_id, round(samples_to_ms(position)), heard.strip()))
        if unsent is not None and unsent.status is ReplyStatus.FAILED:
            self.outbox.put(dataclasses.replace(unsent, heard=heard), urgent=True)
        elif unsent is not None or not reply.ended:
            self._tell_latency(reply, final=True)
            self.outbox.put(_done(reply, ReplyStatus.CANCELLED, heard), urgent=True)

    # ---- ends ------------------------------------------------------------------------------------------

    def deadline(self, now: float) -> float | None:
        """When `check` is due although nothing happens; None: nothing is waited for."""
        reply = self._live
        if reply is None or reply.withheld is not None:
            return None
        if reply.ended and reply.played_out(now):
            return None  # the front has only to take what is there
        _, due = reply.overdue(now, self._patience)
        if not reply.playback.reported and reply.playback.position(now) < reply.playback.sent:
            due = min(due, reply.playback.plays_until(now))
            if not reply.complete():
                due = min(due, now + _REPORT_S)
        return due if due < float("inf") else None

    def check(self, now: float) -> None:
        """Looks whether the live reply has moved, ended, been heard to its end, or got stuck."""
        reply = self._live
        if reply is None or reply.withheld is not None:
            return
        position = reply.playback.position(now)
        if position > reply.seen:
            reply.seen, reply.progress_at = position, now
        if not reply.complete() and position >= reply.reported + _REPORT_SAMPLES:
            reply.reported = position
            self._chain.played(reply.generation, position)
        self._tell_latency(reply)
        if not reply.ended and reply.complete():
            self._end(reply, ReplyStatus.COMPLETED, reply.text)
        if reply.ended and reply.done_sent and reply.played_out(now):
            self._live = None
            self._trace(reply, now, "failed" if reply.failed else "heard")
            self._on_over(reply.generation)
            return
        stage, due = reply.overdue(now, self._patience)
        if now < due:
            return
        if stage is None:
            self._on_front_stalled()
        elif not reply.ended:
            self._stage_silent(reply, stage, now)

    def fail(self, code: str, message: str, *, generation: int | None = None) -> None:
        """The reply (of that generation, if given) cannot go on; with none under way it is only told."""
        reply = self._live
        if reply is None or reply.ended or reply.generation != (generation or reply.generation):
            if generation is None:
                self.outbox.put(Problem(code, message))
        elif reply.withheld is not None:
            error = pb.StageError(stage=Stage.LLM, code=code, message=message)
            entry = Entry(Track.TEXT, reply.generation, 0, pb.TextPiece(error=error))
            reply.withheld.append((entry, reply.progress_at))
        else:
            self._fail(reply, code, message)

    def _stage_silent(self, reply: LiveReply, stage: Stage, now: float) -> None:
        code, what, fix = _SILENT[stage]
        if stage is Stage.SDA:
            self.outbox.put(Problem(code, f"{what} Fix: {fix}"))
            reply.video_done = True
            self.check(now)
        else:
            self._fail(reply, code, f"{what} Fix: {fix}")

    def _fail(self, reply: LiveReply, code: str, message: str) -> None:
        log.warning("reply failed", extra={"code": code, "generation": reply.generation})
        reply.failed = True
        self._chain.flush(reply.generation + 1)
        self.outbox.put(Problem(code, message))
        # What was made before is still played; an interruption would cut it further.
        self._end(reply, ReplyStatus.FAILED, reply.heard(reply.audio_end), code, message)

    def _end(
        self, reply: LiveReply, status: ReplyStatus, heard: str, code: str = "", message: str = ""
    ) -> None:
        reply.ended = True
        self._remember(reply, heard)
        self.outbox.put(_done(reply, status, heard, code, message))

    def _remember(self, reply: LiveReply, heard: str) -> None:
        if (reply.failed or reply.calls) and not heard:
            self._history.delete(reply.item_id)
        else:
            self._history.set_text(reply.item_id, heard.strip())

    def _tell_latency(self, reply: LiveReply, *, final: bool = False) -> None:
        latency = reply.latency(final=final)
        if latency is not None:
            self.outbox.put(latency)
            for stage, ms in latency.ms.items():
                observe_hop(f"turn_{stage}", ms / 1000)

    def _trace(self, reply: LiveReply, now: float, status: str) -> None:
        if reply.speech_ended_at is not None:
            trace = pb.Trace(session=self._session, generation=reply.generation, turn=reply.response_id)
            ago_s = now - reply.speech_ended_at
            tracing.turn(trace, marks_ms=reply.marks_ms, ago_s=ago_s, status=status)

    def _too_late(self, frame: ReplyVideo) -> bool:
        """Whether a frame may be left out: long past, and no keyframe that others build on."""
        reply = self._live
        if (
            reply is None
            or reply.generation != frame.generation
            or (frame.keyframe and reply.codec != "jpeg")
        ):
            return False
        return frame.pts_samples + _LATE_FRAME_SAMPLES < reply.seen


def _done(reply: LiveReply, status: ReplyStatus, heard: str, code: str = "", message: str = "") -> ReplyDone:
    return ReplyDone(
        reply.response_id, reply.item_id, reply.generation, status, reply.text, heard.strip(), code, message
    )
