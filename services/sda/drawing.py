"""One reply's face, drawn and encoded: what the gRPC door and the chain's worker both use."""

import asyncio
import hashlib
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import Counter

from parley.engines import FaceEngine, FaceInput, TimedPhone
from parley.errors import BadRequest
from parley.media.audio import pcm16_to_float
from parley.media.clock import FPS, FRAME_SAMPLES
from parley.media.video import CODECS, VideoEncoder
from proto.parley.v1 import chain_pb2 as pb
from services.sda.engines import Faces
from services.sda.strain import RELIEVED, SHRUNK, THINNED, Relief, Strain

DROPPED = Counter("parley_sda_frames_dropped_total", "Frames not drawn because their time had passed.")
FRAMES_A_PIECE = 5
# One job draws no more than this, so that sessions take turns on the threads every few milliseconds.
STEP_SAMPLES = FRAMES_A_PIECE * FRAME_SAMPLES


def seed_of(*parts: object) -> int:
    """A seed that is the same wherever and whenever it is computed."""
    return int.from_bytes(hashlib.sha256(":".join(map(str, parts)).encode()).digest()[:4], "little")


def check_format(video: pb.VideoFormat, engine: FaceEngine) -> None:
    """Raises BadRequest unless `video` is what the engine gives (a size or rate of 0 takes what there is)."""
    if video.codec not in CODECS:
        raise BadRequest(
            f"Video codec {video.codec!r} is not known.", fix=f"Choose one of: {', '.join(CODECS)}."
        )
    if (video.width or engine.width, video.height or engine.height) != (engine.width, engine.height):
        raise BadRequest(
            f"This face is drawn at {engine.width}x{engine.height}, not {video.width}x{video.height}.",
            fix="Ask for that size, or for 0 by 0.",
        )
    if video.fps not in (0, FPS):
        raise BadRequest(f"Faces are drawn at {FPS} frames a second, not {video.fps}.", fix=f"Ask for {FPS}.")


def steps(piece: pb.SpeechPiece, *, first: int) -> Iterator[FaceInput]:
    """Cuts a piece of speech into the engine's steps; the first of a reply is `first` samples long.

    Raises:
        BadRequest: Speech that is not a whole number of video frames.
    """
    audio = pcm16_to_float(piece.pcm)
    if len(audio) % FRAME_SAMPLES:
        raise BadRequest(
            f"A piece of speech has {len(audio)} samples.", fix=f"Send multiples of {FRAME_SAMPLES}."
        )
    phones = [TimedPhone(p.symbol, p.end_samples) for p in piece.phones]
    cuts = [0]
    while cuts[-1] < len(audio):
        cuts.append(min(len(audio), cuts[-1] + (first if first and len(cuts) == 1 else STEP_SAMPLES)))
    if len(cuts) == 1:
        cuts.append(0)
    for start, end in itertools.pairwise(cuts):
        last = piece.last and end == len(audio)
        yield FaceInput(audio[start:end], phones if start == 0 else (), piece.has_phones, last)


class Drawing:
    """One reply. `push` runs in a drawing thread, one call at a time.

    Args:
        engine: Who draws.
        avatar: Whom.
        codec: How it is encoded.
        strain: Asked how much to draw, and told of late frames.
        seed: See `FaceEngine.open`.
        skip: Frames that were already sent by a worker that died: gone through, not drawn.
    """

    def __init__(
        self, engine: FaceEngine, avatar: str, codec: str, strain: Strain, *, seed: int, skip: int = 0
    ) -> None:
        self.engine, self._strain = engine, strain
        half = strain.relief >= Relief.HALF_SIZE
        SHRUNK.inc(half)
        self._stream = engine.open(avatar, seed=seed, half=half)
        self._codec = codec
        self._encoder: VideoEncoder | None = None
        self._lock = threading.Lock()
        self._closed = False
        self._skip = skip
        self._behind = False
        self._fresh: set[int] = set()  # frames to be decodable by themselves
        self.drawn = 0

    def push(self, step: FaceInput, late: Callable[[int], bool]) -> list[pb.VideoFrame]:
        """Frames that can be drawn now.

        Args:
            step: More speech.
            late: Whether the frame of that pts is too late to be shown: it is not drawn, except the first.
        """
        with self._lock:
            if self._closed:
                return []
            frames = []
            for picture in self._stream.push(step, lambda index: self._wanted(index, late)):
                pts = self.drawn * FRAME_SAMPLES
                self.drawn += 1
                if picture is None:
                    continue
                if self._encoder is None:  # the picture says how large the engine draws
                    self._encoder = VideoEncoder(self._codec, picture.shape[1], picture.shape[0])
                data = self._encoder.encode(picture, pts, keyframe=self.drawn - 1 in self._fresh)
                frames.append(pb.VideoFrame(pts_samples=pts, keyframe=self._encoder.gave_keyframe, data=data))
            self._fresh.clear()
            return frames

    def _wanted(self, index: int, late: Callable[[int], bool]) -> bool:
        if index < self._skip:
            return False
        if index == 0:
            return True
        missed = late(index * FRAME_SAMPLES)
        self._strain.saw(missed)
        if missed:
            DROPPED.inc()
            self._behind = True
            return False
        if self._behind:  # what was sent just before was probably too late as well, and left out on its way
            self._behind = False
            self._fresh.add(index)
            return True
        if self._strain.relief >= Relief.HALF_RATE and index % 2:
            THINNED.inc()
            return False
        return True

    def close(self) -> None:
        """Frees the encoder; a `push` that still runs ends first."""
        with self._lock:
            if not self._closed:
                self._closed = True
                if self._encoder is not None:
                    self._encoder.close()


class Studio:
    """The drawing threads, and the idle loops (encoded once per avatar and codec)."""

    def __init__(self, faces: Faces, *, threads: int) -> None:
        self.faces = faces
        self._strain = Strain()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="draw")
        self._idle: dict[tuple[str, str], tuple[int, asyncio.Task[list[pb.VideoFrame]]]] = {}

    def close(self) -> None:
        """Ends the threads once what they do is done."""
        self._pool.shutdown(wait=True)

    async def open(self, avatar: str, video: pb.VideoFormat, *, seed: int, skip: int = 0) -> Drawing:
        """Starts a reply.

        Raises:
            BadRequest: A format that the engine does not give.
            UnknownAvatar: No such avatar.
            EngineUnavailable: It cannot be drawn here.
        """

        def start() -> Drawing:
            engine = wanted = self.faces.engine(avatar)
            if self._strain.relief >= Relief.BANK:
                engine = self.faces.cheaper(avatar)
                RELIEVED.inc(engine is not wanted)
            check_format(video, engine)
            return Drawing(engine, avatar, video.codec, self._strain, seed=seed, skip=skip)

        return await asyncio.get_running_loop().run_in_executor(self._pool, start)

    async def push(
        self, drawing: Drawing, step: FaceInput, late: Callable[[int], bool]
    ) -> list[pb.VideoFrame]:
        """`Drawing.push` on a drawing thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, drawing.push, step, late)

    async def close_drawing(self, drawing: Drawing) -> None:
        """`Drawing.close` on a drawing thread, whatever happens to the caller."""
        await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._pool, drawing.close))

    async def idle(self, avatar: str, video: pb.VideoFormat) -> list[pb.VideoFrame]:
        """The encoded idle loop. Raises as `open` does."""
        check_format(video, self.faces.engine(avatar))
        key, version = (avatar, video.codec), self.faces.version(avatar)
        if key not in self._idle or self._idle[key][0] != version:
            for old in [old for old, (its, _) in self._idle.items() if its != self.faces.version(old[0])]:
                del self._idle[old]  # who was deleted is forgotten
            self._idle[key] = version, asyncio.create_task(self._draw_idle(avatar, video))
        entry = self._idle[key]
        task = entry[1]
        try:
            return await asyncio.shield(task)
        finally:
            failed = task.done() and (task.cancelled() or task.exception() is not None)
            if failed and self._idle.get(key) is entry:
                del self._idle[key]  # a failure is not kept

    async def _draw_idle(self, avatar: str, video: pb.VideoFormat) -> list[pb.VideoFrame]:
        def work() -> list[pb.VideoFrame]:
            engine = self.faces.engine(avatar)
            frames = []
            with VideoEncoder(video.codec, engine.width, engine.height) as encoder:
                for index, picture in enumerate(engine.idle(avatar)):
                    pts = index * FRAME_SAMPLES
                    data = encoder.encode(picture, pts)
                    frames.append(pb.VideoFrame(pts_samples=pts, keyframe=index == 0, data=data))
            return frames

        return await asyncio.get_running_loop().run_in_executor(self._pool, work)


async def pieces(frames: list[pb.VideoFrame], *, codec: str, engine: str) -> AsyncIterator[pb.VideoPiece]:
    """Frames in pieces of at most `FRAMES_A_PIECE`, the last one marked."""
    for start in range(0, len(frames), FRAMES_A_PIECE):
        some = frames[start : start + FRAMES_A_PIECE]
        yield pb.VideoPiece(
            frames=some, codec=codec, engine=engine, last=start + FRAMES_A_PIECE >= len(frames)
        )
