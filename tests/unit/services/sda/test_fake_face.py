"""The engine that other tests use keeps the rules of a real one."""

import numpy as np

from parley.engines import FaceInput
from services.sda.engines.fake import MOUTH, FakeEngine

LOUD, SOFT = np.full(960, 0.8, np.float32), np.full(960, 0.1, np.float32)


def test_it_holds_back_its_look_ahead_and_shows_loudness():
    stream = FakeEngine().open("anyone", seed=0)
    assert stream.push(FaceInput(np.concatenate([LOUD, SOFT]))) == []
    (first,) = stream.push(FaceInput(SOFT))
    rest = stream.push(FaceInput(np.zeros(0, np.float32), last=True))
    assert len(rest) == 2
    loud, soft = (int((f == MOUTH).all(-1).sum()) for f in (first, rest[0]))
    assert loud > 3 * soft > 0


def test_seeds_differ():
    a, b = (FakeEngine().open("x", seed=s).push(FaceInput(LOUD, last=True))[0] for s in (0, 1))
    assert not np.array_equal(a, b)
