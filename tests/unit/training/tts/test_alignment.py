from dataclasses import replace

import numpy as np
import pytest

from services.tts.fastpitch.frames import HOP
from services.tts.fastpitch.phonemes import SIZES
from training.data.workspace import Rejected
from training.tts.alignment import errors_ms
from training.tts.material import Clip


@pytest.fixture
def clip() -> Clip:
    codes = np.zeros((3, len(SIZES)), np.int64)
    codes[:, 0] = [1, 7, 1]
    lengths = np.array([10, 6, 8])
    return Clip("oh", codes, lengths, np.zeros(24, np.float32), np.zeros(24 * HOP, np.float32))


def test_ends_of_phones_are_compared_in_milliseconds(clip: Clip) -> None:
    found = replace(clip, durations=np.array([9, 9, 6]))
    assert errors_ms(clip, found).tolist() == [12.5, 25.0]


def test_other_phones_are_not_compared(clip: Clip) -> None:
    codes = clip.codes.copy()
    codes[1, 0] = 8
    with pytest.raises(Rejected, match="other phones"):
        errors_ms(clip, replace(clip, codes=codes))
