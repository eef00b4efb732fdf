"""The worker on the in-memory chain, with the fast engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from parley.chain.interface import Entry, Stage, Track
from parley.errors import StaleGeneration
from parley.media.audio import float_to_pcm16
from parley.media.clock import FRAME_SAMPLES
from parley.media.video import VideoDecoder
from proto.parley.v1 import chain_pb2 as pb
from services.sda.config import SdaSettings
from services.sda.drawing import DROPPED, Studio
from services.sda.engines import Faces
from services.sda.worker import Worker


class ScriptedClaim:
    """A claim whose speech, credit and past are written down in advance."""

    def __init__(self, pieces, *, codec="h264", past=(), played=0):
        video = pb.VideoFormat(codec=codec)
        self.item = pb.Reply(trace=pb.Trace(session="s", generation=3), avatar="mira", video=video)
        self.taken_over = bool(past)
        self.stale = asyncio.Event()
        self.sent: list[tuple[int, pb.VideoPiece]] = []
        self.credit_asked: list[int] = []
        self._pieces, self._past, self._played = pieces, past, played

    async def publish(self, seq, piece):
        self.sent.append((seq, piece))
        return True

    async def upstream(self):
        for seq, piece in enumerate(self._pieces, 1):
            await asyncio.sleep(0)
            yield Entry(Track.AUDIO, 3, seq, piece)

    async def published(self):
        return [Entry(Track.VIDEO, 3, seq, piece) for seq, piece in self._past]

    async def wait_for_credit(self, pts_samples, *, ahead_samples):
        self.credit_asked.append(pts_samples - ahead_samples)

    def played_samples(self):
        return self._played


def speech(*frames_each, **more):
    random = np.random.default_rng(1)
    pieces = []
    for number, count in enumerate(frames_each):
        audio = random.uniform(-0.5, 0.5, count * FRAME_SAMPLES).astype(np.float32)
        pieces.append(pb.SpeechPiece(pcm=float_to_pcm16(audio), last=number + 1 == len(frames_each), **more))
    return pieces


@asynccontextmanager
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    made = Studio(Faces(SdaSettings(engine="fake", avatars_dir=tmp_path)), threads=2)
    try:
        yield made
    finally:
        made.close()


async def drive(tmp_path, claim):
    async with studio(tmp_path) as made:
        await Worker(made).handle(claim)
    return claim.sent


def pictures(sent, codec="h264"):
    decoder = VideoDecoder(codec)
    return {f.pts_samples // FRAME_SAMPLES: decoder.decode(f.data)[0] for _, p in sent for f in p.frames}


async def test_a_reply_is_drawn_whole_in_order_and_quickly_begun(tmp_path):
    sent = await drive(tmp_path, ScriptedClaim(speech(12, 7, 3)))
    shown = [f for _, p in sent for f in p.frames]
    assert [f.pts_samples for f in shown] == [i * FRAME_SAMPLES for i in range(22)]
    assert [f.keyframe for f in shown] == [i == 0 for i in range(22)]
    assert len(sent[0][1].frames) == 1
    assert max(len(p.frames) for _, p in sent) <= 5
    assert [seq for seq, _ in sent] == [p.frames[-1].pts_samples // FRAME_SAMPLES + 1 for _, p in sent]
    assert [p.last for _, p in sent] == [False] * (len(sent) - 1) + [True]
    assert {p.engine for _, p in sent} == {"fake"} and {p.codec for _, p in sent} == {"h264"}


async def test_it_asks_for_credit_two_seconds_behind_each_piece(tmp_path):
    claim = ScriptedClaim(speech(60))
    await drive(tmp_path, claim)
    assert claim.credit_asked == [p.frames[0].pts_samples - 48_000 for _, p in claim.sent]


async def test_after_a_takeover_it_goes_on_with_a_keyframe_and_the_same_face(tmp_path):
    whole = await drive(tmp_path, ScriptedClaim(speech(30)))
    cut = 4
    rest = await drive(tmp_path, ScriptedClaim(speech(30), past=whole[:cut]))
    begins = whole[cut - 1][0]
    assert rest[0][1].frames[0].pts_samples == begins * FRAME_SAMPLES
    assert rest[0][1].frames[0].keyframe
    before, after = pictures(whole), pictures(rest)
    assert sorted(after) == list(range(begins, 30))
    for index, frame in after.items():
        assert np.abs(frame.astype(int) - before[index]).mean() < 6


async def test_nothing_is_done_again_when_all_was_sent(tmp_path):
    whole = await drive(tmp_path, ScriptedClaim(speech(10)))
    assert await drive(tmp_path, ScriptedClaim(speech(10), past=whole)) == []


async def test_late_frames_are_left_out_and_counted_but_never_the_first(tmp_path):
    before = DROPPED._value.get()
    sent = await drive(tmp_path, ScriptedClaim(speech(20), played=10 * FRAME_SAMPLES))
    shown = [f.pts_samples // FRAME_SAMPLES for _, p in sent for f in p.frames]
    assert shown == [0, *range(8, 20)]
    assert DROPPED._value.get() - before == 7
    assert sent[-1][1].last and sent[-1][0] == 20


async def test_no_video_wanted_means_no_work(tmp_path):
    assert await drive(tmp_path, ScriptedClaim(speech(5), codec="")) == []


async def test_a_voice_that_failed_ends_the_face(tmp_path):
    pieces = [*speech(6, 1)[:1], pb.SpeechPiece(error=pb.StageError(stage="tts", code="x", message="y"))]
    sent = await drive(tmp_path, ScriptedClaim(pieces))
    assert sum(len(p.frames) for _, p in sent) == 6
    assert sent[-1][1].last


async def test_a_flush_stops_the_drawing(tmp_path):
    claim = ScriptedClaim(speech(50))
    claim.stale.set()
    with pytest.raises(StaleGeneration):
        await drive(tmp_path, claim)
    assert claim.sent == []


async def test_it_works_on_the_real_carrier(tmp_path):
    from parley.chain.memory import MemoryChain

    chain = MemoryChain()
    await chain.open_session("s")
    video = pb.VideoFormat(codec="vp8")
    await chain.submit(
        pb.Turn(trace=pb.Trace(session="s", generation=1), avatar="mira", want_audio=True, video=video)
    )

    async def one(stage: Stage):
        async with aclosing(chain.claims(stage, consumer="t", capacity=1)) as claims:
            return await anext(claims)

    async with asyncio.timeout(5), studio(tmp_path) as made:
        mind = await one(Stage.LLM)
        await mind.hand_on()
        voice = await one(Stage.TTS)
        await voice.hand_on()
        face = await one(Stage.SDA)
        video_out = chain.subscribe("s", [Track.VIDEO])
        drawing = asyncio.create_task(Worker(made).handle(face))
        for seq, piece in enumerate(speech(8, 8), 1):
            await voice.publish(seq, piece)
        got = []
        async for entry in video_out:
            got += [f.pts_samples for f in entry.piece.frames]
            if entry.piece.last:
                break
        await drawing
        await video_out.aclose()
        await chain.close()
    assert got == [i * FRAME_SAMPLES for i in range(16)]
