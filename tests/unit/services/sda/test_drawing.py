"""What a reply looks like when the machine cannot keep up."""

from pathlib import Path

import numpy as np
import pytest

from parley.engines import FaceInput
from parley.media.clock import FRAME_SAMPLES
from parley.media.video import KEYFRAME_EVERY, VideoDecoder
from parley.settings import REPOSITORY
from services.sda.drawing import Drawing
from services.sda.engines.gan import GanEngine
from services.sda.strain import Relief, Strain

AUDIO = np.random.default_rng(0).normal(0, 0.1, 10 * FRAME_SAMPLES).astype(np.float32)


@pytest.fixture(scope="module")
def engine() -> GanEngine:
    return GanEngine(Path(REPOSITORY / "avatars"))


@pytest.mark.parametrize(
    ("relief", "count", "size"),
    [(Relief.NONE, 10, 256), (Relief.HALF_RATE, 5, 256), (Relief.HALF_SIZE, 5, 128)],
)
@pytest.mark.parametrize("codec", ["h264", "vp8", "jpeg"])
def test_each_step_gives_up_more(
    engine: GanEngine, relief: Relief, count: int, size: int, codec: str
) -> None:
    strain = Strain(lambda: 0.0)
    strain.relief = relief
    drawing = Drawing(engine, "mira", codec, strain, seed=1)
    frames = drawing.push(FaceInput(AUDIO, last=True), lambda pts: False)
    drawing.close()

    assert len(frames) == count and frames[0].keyframe
    assert [frame.pts_samples // FRAME_SAMPLES for frame in frames] == list(range(0, 10, 10 // count))
    decoder = VideoDecoder(codec)
    pictures = [picture for frame in frames for picture in decoder.decode(frame.data)]
    assert {picture.shape for picture in pictures} == {(size, size, 3)}


def test_a_reply_that_was_never_drawn_closes(engine: GanEngine) -> None:
    drawing = Drawing(engine, "mira", "h264", Strain(lambda: 0.0), seed=1)
    drawing.close()
    assert drawing.push(FaceInput(AUDIO, last=True), lambda pts: False) == []


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_who_lost_the_frames_before_a_gap_sees_what_comes_after_it(engine: GanEngine, codec: str) -> None:
    """A cold start once showed three frames of eight seconds: one came too late, and no keyframe followed."""
    drawing = Drawing(engine, "mira", codec, Strain(lambda: 0.0), seed=1)
    frames = drawing.push(FaceInput(AUDIO, last=True), lambda pts: 3 <= pts // FRAME_SAMPLES < 6)
    drawing.close()

    assert [frame.pts_samples // FRAME_SAMPLES for frame in frames] == [0, 1, 2, 6, 7, 8, 9]
    assert [frame.keyframe for frame in frames] == [True, False, False, True, False, False, False]
    decoder = VideoDecoder(codec)
    seen = [decoder.decode(frame.data) for frame in frames[3:]]
    assert [len(pictures) for pictures in seen] == [1, 1, 1, 1]


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_every_second_begins_with_a_keyframe_that_is_named_so(engine: GanEngine, codec: str) -> None:
    audio = np.tile(AUDIO, 6)
    drawing = Drawing(engine, "mira", codec, Strain(lambda: 0.0), seed=1)
    frames = drawing.push(FaceInput(audio, last=True), lambda pts: False)
    drawing.close()

    keys = [index for index, frame in enumerate(frames) if frame.keyframe]
    assert keys[0] == 0 and len(keys) >= 2 and max(np.diff([*keys, len(frames)])) <= KEYFRAME_EVERY
    decoder = VideoDecoder(codec)
    assert all(len(decoder.decode(frame.data)) == 1 for frame in frames[keys[1] :])
