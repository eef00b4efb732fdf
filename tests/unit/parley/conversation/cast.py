"""Who plays in a conversation's tests: a person, ears, workers and a front, all on virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from parley.avatars import Avatar, Face, Voice
from parley.chain.interface import Chain, Claim, Stage
from parley.chain.memory import MemoryChain
from parley.conversation import events as tell
from parley.conversation.events import ConversationEvent
from parley.conversation.interface import ConversationConfig
from parley.conversation.session import Session, TalkSettings
from parley.errors import ChainUnavailable, LostClaim, ServiceUnavailable, StaleGeneration
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ, ms_to_samples
from proto.parley.v1 import asr_pb2
from proto.parley.v1 import chain_pb2 as pb

STEP = ms_to_samples(32)
PIECE_FRAMES = 5
AHEAD = 2 * SAMPLE_RATE_HZ
E = TypeVar("E", bound=ConversationEvent)

MIRA = Avatar(
    name="mira",
    title="Mira",
    description="Plays in tests.",
    voice=Voice(engine="fake", voice="fake"),
    face=Face(),
    folder=Path(),
)
H264 = pb.VideoFormat(codec="h264", width=64, height=64, fps=25)
FACE = ConversationConfig(video=H264, reports_playback=True, can_pause=True)
PLAIN = ConversationConfig()
TEXT = "I am Mira. I live in this machine. Ask me anything at all."


class FakeEars:
    """Hears loud samples as speech; the words are whispered to it through `said`."""

    def __init__(self) -> None:
        self.said = ""
        self.final_s = 0.06
        self.gone = False
        self.opened: list[asr_pb2.ListenConfig] = []
        self.streams: list[FakeEarStream] = []

    async def open(self, config: asr_pb2.ListenConfig) -> "FakeEarStream":
        if self.gone:
            raise ServiceUnavailable("Nobody listens.")
        self.opened.append(config)
        self.streams.append(FakeEarStream(self, vad=config.vad))
        return self.streams[-1]

    def lose(self) -> None:
        """The service dies."""
        self.gone = True
        self.streams[-1].tell(None)

    def retire(self) -> None:
        """The service is to be restarted: it leaves its stream in peace."""
        self.gone = True
        self.streams[-1].tell(asr_pb2.ListenEvent(leaving=asr_pb2.Leaving()))


class FakeEarStream:
    """Onset after 64 ms, offset after 96 ms, like the real one."""

    def __init__(self, ears: FakeEars, *, vad: bool) -> None:
        self._ears = ears
        self._vad = vad
        self._events: asyncio.Queue[asr_pb2.ListenEvent | None] = asyncio.Queue()
        self._rest: list[bool] = []
        self._samples = 0
        self._loud = self._quiet = 0
        self._speaking = self._silent_turn = False
        self._last_partial = ""
        self.closed = False

    def tell(self, event: asr_pb2.ListenEvent | None) -> None:
        self._events.put_nowait(event)

    async def send(self, request: asr_pb2.ListenRequest) -> None:
        kind = request.WhichOneof("kind")
        if kind == "pcm":
            self._hear(request.pcm)
        elif kind == "finalize":
            final = asr_pb2.Final(id=request.finalize.id, text=self._ears.said, heard_samples=self._samples)
            event = asr_pb2.ListenEvent(final=final)
            asyncio.get_running_loop().call_later(self._ears.final_s, self.tell, event)
        else:
            self._ears.said = self._last_partial = ""
            self._silent_turn = False

    def _hear(self, pcm: bytes) -> None:
        self._rest += [any(pcm[i : i + 2]) for i in range(0, len(pcm), 2)]
        while len(self._rest) >= STEP:
            step, self._rest = self._rest[:STEP], self._rest[STEP:]
            self._samples += STEP
            if self._vad:
                self._advance(any(step))

    def _advance(self, loud: bool) -> None:
        self._loud, self._quiet = (self._loud + 1, 0) if loud else (0, self._quiet + 1)
        if not self._speaking and self._loud == 2:
            self._speaking = True
            at = self._samples - 2 * STEP
            self.tell(asr_pb2.ListenEvent(speech_started=asr_pb2.SpeechStarted(at_samples=at)))
        elif self._speaking and self._quiet == 3:
            self._speaking, self._silent_turn = False, True
            at = self._samples - 3 * STEP
            self.tell(asr_pb2.ListenEvent(speech_stopped=asr_pb2.SpeechStopped(at_samples=at)))
        elif not self._speaking and self._silent_turn:
            self.tell(asr_pb2.ListenEvent(pause=asr_pb2.Pause(heard_samples=self._samples)))
        if self._speaking and self._ears.said != self._last_partial:
            self._last_partial = self._ears.said
            self.tell(asr_pb2.ListenEvent(partial=asr_pb2.Partial(text=self._ears.said)))

    async def events(self) -> AsyncIterator[asr_pb2.ListenEvent]:
        while (event := await self._events.get()) is not None:
            yield event
        raise ServiceUnavailable("The ears are gone.")

    async def close(self) -> None:
        self.closed = True


class Workers:
    """One worker of each kind. Replies are scripted; speech takes 60 ms a character to say."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.clauses = ["I am Mira.", " I live in this machine.", " Ask me anything at all."]
        self.think_s = 0.05
        self.lives_s = 0.0  # gives signs of life for so long before its first word
        self.notice = ""
        self.calls: list[pb.ToolCall] = []  # what the next reply calls
        self.turns: list[pb.Turn] = []
        self.dead: set[Stage] = set()
        self.errors: dict[Stage, str] = {}
        self.furthest_ahead = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for stage, work in ((Stage.LLM, self._think), (Stage.TTS, self._speak), (Stage.SDA, self._draw)):
                tasks.create_task(self._serve(stage, work, tasks))

    async def _serve(self, stage: Stage, work: Callable[[Any], Any], tasks: asyncio.TaskGroup) -> None:
        async for claim in self.chain.claims(stage, consumer="test", capacity=8):
            if stage not in self.dead:
                tasks.create_task(self._handle(stage, work, claim))

    async def _handle(self, stage: Stage, work: Callable[[Any], Any], claim: Claim) -> None:
        try:
            if stage in self.errors:
                error = pb.StageError(stage=stage, code=self.errors[stage], message="Scripted.")
                kind = {Stage.LLM: pb.TextPiece, Stage.TTS: pb.SpeechPiece, Stage.SDA: pb.VideoPiece}[stage]
                await claim.publish(1, kind(error=error))
            else:
                await work(claim)
        except (StaleGeneration, LostClaim, ChainUnavailable):
            pass
        with suppress(ChainUnavailable):
            await self.chain.done(claim)

    async def _think(self, claim: Claim) -> None:
        turn = claim.item
        assert isinstance(turn, pb.Turn)
        self.turns.append(turn)
        clauses = [turn.verbatim] if turn.verbatim else self.clauses
        signs = round(self.lives_s)
        for seq in range(1, signs + 1):
            await claim.publish(seq, pb.TextPiece())
            await asyncio.sleep(1)
        for seq, clause in enumerate(clauses, signs + 1):
            await asyncio.sleep(self.think_s)
            if Stage.LLM in self.dead:
                return
            piece = pb.TextPiece(text=clause, last=seq == signs + len(clauses))
            if piece.last:
                piece.calls.extend(self.calls)
                self.calls = []
            if self.notice and piece.last:
                piece.notice.CopyFrom(pb.StageError(code="service_unavailable", message=self.notice))
            await claim.publish(seq, piece)
            if turn.want_audio:
                await claim.hand_on()

    async def _speak(self, claim: Claim) -> None:
        pts, seq = 0, 0
        async for entry in claim.upstream():
            assert isinstance(entry.piece, pb.TextPiece)
            start, frames = pts, round(len(entry.piece.text) * 0.06 * 25)
            while frames:
                count = min(frames, PIECE_FRAMES)
                frames -= count
                await asyncio.sleep(0.02)
                await claim.wait_for_credit(pts, ahead_samples=AHEAD)
                if Stage.TTS in self.dead:
                    return
                self.furthest_ahead = max(self.furthest_ahead, pts - claim.played_samples())
                seq += 1
                piece = pb.SpeechPiece(
                    pts_samples=pts,
                    pcm=b"\1\0" * count * FRAME_SAMPLES,
                    clause=entry.seq,
                    clause_start_samples=start,
                    last=entry.piece.last and not frames,
                )
                await claim.publish(seq, piece)
                if claim.item.video.codec:
                    await claim.hand_on()
                pts += count * FRAME_SAMPLES

    async def _draw(self, claim: Claim) -> None:
        async for entry in claim.upstream():
            piece = entry.piece
            assert isinstance(piece, pb.SpeechPiece)
            if Stage.SDA in self.dead:
                return
            await asyncio.sleep(0.02)
            count = len(piece.pcm) // 2 // FRAME_SAMPLES
            frames = [
                pb.VideoFrame(pts_samples=pts, keyframe=pts == 0, data=b"frame")
                for pts in range(piece.pts_samples, piece.pts_samples + count * FRAME_SAMPLES, FRAME_SAMPLES)
            ]
            seq = frames[-1].pts_samples // FRAME_SAMPLES + 1
            await claim.publish(seq, pb.VideoPiece(frames=frames, last=piece.last, codec="h264"))


class Front:
    """Takes events, plays audio in real (virtual) time and reports what it has played."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.log: list[tuple[float, ConversationEvent]] = []
        self.reports = session.config.reports_playback
        self.take_s = 0.0  # a slow front needs so long for each message
        self.generation = 0
        self.sent = self.played = 0
        self.silent = False
        self.audible_after: list[float] = []  # times of every 20 ms that sounded

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            player = tasks.create_task(self._play())
            async for event in self.session.events():
                self.log.append((self.now(), event))
                match event:
                    case tell.ReplyStarted():
                        self.generation, self.sent, self.played, self.silent = event.generation, 0, 0, False
                    case tell.ReplyAudio() if event.generation == self.generation:
                        self.sent = event.pts_samples + len(event.pcm) // 2
                    case tell.Paused():
                        self.silent = True
                    case tell.Resumed():
                        self.silent = False
                    case tell.Flushed():
                        self.sent = self.played = 0
                    case _:
                        pass
                if self.take_s:
                    await asyncio.sleep(self.take_s)
            player.cancel()

    async def _play(self) -> None:
        step, reported = ms_to_samples(20), -1
        while True:
            await asyncio.sleep(0.02)
            if self.played < self.sent and not self.silent:
                self.audible_after.append(self.now())
                self.played = min(self.played + step, self.sent)
            due = self.played // ms_to_samples(200) != reported // ms_to_samples(200)
            if self.reports and self.played and (due or self.played == self.sent) and reported != self.played:
                reported = self.played
                await self.session.played(self.generation, self.played)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    # ---- what came -------------------------------------------------------------------------------------

    def all(self, kind: type[E]) -> list[E]:
        return [event for _, event in self.log if isinstance(event, kind)]

    def at(self, kind: type[ConversationEvent]) -> float:
        return [time for time, event in self.log if isinstance(event, kind)][-1]

    def kinds(self, *only: type[ConversationEvent]) -> list[str]:
        return [type(event).__name__ for _, event in self.log if isinstance(event, only)]

    async def until(self, kind: type[E], count: int = 1, *, within_s: float = 60) -> E:
        """The count-th event of that kind, once it is there."""
        async with asyncio.timeout(within_s):
            while len(found := self.all(kind)) < count:
                await asyncio.sleep(0.005)
        return found[count - 1]


class Person:
    """Sends microphone audio in real (virtual) time."""

    def __init__(self, session: Session, ears: FakeEars) -> None:
        self.session = session
        self.ears = ears

    async def speak(self, ms: float, text: str = "") -> None:
        words, steps, before = text.split(), max(round(ms / 20), 1), self.ears.said
        for step in range(steps):
            known = words[: (step + 1) * len(words) // steps]
            self.ears.said = " ".join([before, *known]).strip()
            await self._send(b"\1\0")

    async def silence(self, ms: float) -> None:
        for _ in range(round(ms / 20)):
            await self._send(b"\0\0")

    async def ask(self, text: str = "what is your name") -> None:
        """A whole turn, and the pause after it."""
        await self.speak(len(text) * 60, text)
        await self.silence(700)

    async def _send(self, sample: bytes) -> None:
        await asyncio.sleep(0.02)
        await self.session.hear(sample * ms_to_samples(20))


class Play:
    """Everybody together."""

    def __init__(self, config: ConversationConfig, settings: TalkSettings | None = None) -> None:
        self.chain = MemoryChain()
        self.ears = FakeEars()
        self.session = Session(
            avatar=MIRA, chain=self.chain, ears=self.ears, config=config, settings=settings
        )
        self.workers = Workers(self.chain)
        self.front = Front(self.session)
        self.person = Person(self.session, self.ears)


@asynccontextmanager
async def play(
    config: ConversationConfig = FACE, *, settings: TalkSettings | None = None
) -> AsyncIterator[Play]:
    """A running conversation with a person and a front."""
    stage = Play(config, settings)
    await stage.chain.start()
    async with asyncio.TaskGroup() as tasks:
        workers = tasks.create_task(stage.workers.run())
        async with stage.session:
            front = tasks.create_task(stage.front.run())
            yield stage
        await front
        workers.cancel()
        await stage.chain.close()
