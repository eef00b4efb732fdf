"""What a reply looks like when the machine cannot keep up."""

from pathlib import Path

import numpy as np
import pytest

from parley.engines import FaceInput
from parley.media.clock import FRAME_SAMPLES
from parley.media.video import VideoDecoder
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
