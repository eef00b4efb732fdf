"""How speech is cut into steps."""

import numpy as np
import pytest

from parley.errors import BadRequest
from parley.media.audio import float_to_pcm16
from parley.media.clock import FRAME_SAMPLES
from proto.parley.v1 import chain_pb2 as pb
from services.sda.drawing import STEP_SAMPLES, check_format, seed_of, steps
from services.sda.engines.fake import FakeEngine


def piece(frames, **more):
    audio = np.linspace(-0.5, 0.5, frames * FRAME_SAMPLES, dtype=np.float32)
    return pb.SpeechPiece(pcm=float_to_pcm16(audio), **more)


def test_nothing_is_lost_and_only_the_end_is_last():
    phones = [pb.Phone(symbol="aa", end_samples=5000)]
    cut = list(steps(piece(17, phones=phones, has_phones=True, last=True), first=3 * FRAME_SAMPLES))
    assert [len(s.audio) // FRAME_SAMPLES for s in cut] == [3, 5, 5, 4]
    assert [s.last for s in cut] == [False, False, False, True]
    assert [len(s.phones) for s in cut] == [1, 0, 0, 0]
    assert all(len(s.audio) <= STEP_SAMPLES and s.has_phones for s in cut)


def test_an_empty_last_piece_is_one_step():
    (step,) = steps(pb.SpeechPiece(last=True), first=0)
    assert step.last and len(step.audio) == 0


def test_half_a_frame_is_refused():
    with pytest.raises(BadRequest, match="961 samples"):
        list(steps(pb.SpeechPiece(pcm=bytes(2 * 961)), first=0))


@pytest.mark.parametrize(
    "video", [{"codec": "av1"}, {"codec": ""}, {"codec": "h264", "width": 128}, {"codec": "vp8", "fps": 30}]
)
def test_a_format_that_cannot_be_given_is_refused(video):
    with pytest.raises(BadRequest):
        check_format(pb.VideoFormat(**video), FakeEngine())


def test_seeds_are_stable():
    assert seed_of("s", 1) == seed_of("s", 1) != seed_of("s", 2)
