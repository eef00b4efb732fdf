"""Frames and sources of our own voices, and the phonemes they are made from."""

import numpy as np
import pytest

from services.tts.engines.flite_library import Segment
from services.tts.engines.spoken import tokens
from services.tts.fastpitch import source
from services.tts.fastpitch.frames import HOP, OverlapAdd, frames, mel, spectrum
from services.tts.fastpitch.length import durations, places
from services.tts.fastpitch.phonemes import MARKS, FrontEnd, phonemes


@pytest.fixture(scope="module")
def front() -> FrontEnd:
    return FrontEnd()


@pytest.mark.parametrize("cuts", [(40,), (1, 39), (7, 13, 20)])
def test_overlap_add_gives_the_samples_back_however_it_is_cut(cuts: tuple[int, ...]) -> None:
    sound = np.random.default_rng(0).standard_normal(40 * HOP).astype(np.float32)
    spectra, back = spectrum(sound), OverlapAdd()
    ends = np.cumsum(cuts)
    parts = [back.push(spectra[end - size : end]) for size, end in zip(cuts, ends, strict=True)]
    whole = np.concatenate([*parts, back.finish()])
    np.testing.assert_allclose(whole, sound, atol=1e-5)


def test_a_part_of_the_spectrum_is_that_part() -> None:
    sound = np.random.default_rng(0).standard_normal(20 * HOP + 5).astype(np.float32)
    np.testing.assert_array_equal(spectrum(sound, slice(3, 9)), spectrum(sound)[3:9])
    assert mel(sound).shape == (frames(sound), 80) == (21, 80)


def test_a_buzz_has_its_pitch_and_power() -> None:
    sound = source.buzz(np.full(80, 200, np.float32))
    assert float((sound**2).mean()) == pytest.approx(0.5, rel=0.02)
    loud = np.abs(np.fft.rfft(sound))
    assert np.flatnonzero(loud > 0.5 * loud.max())[0] == 200


def test_noise_is_always_the_same() -> None:
    np.testing.assert_array_equal(source.noise(9), source.noise(9))
    assert float((source.noise(200) ** 2).mean()) == pytest.approx(0.5, rel=0.02)


def test_durations_add_up_and_none_is_empty() -> None:
    wanted = np.log(np.full(10, 2.5, np.float32))
    assert durations(wanted, speed=1.0).sum() == 25
    assert durations(wanted, speed=2.0).tolist() == [1, 1, 2, 1, 1, 2, 1, 1, 1, 1] or durations(
        wanted, speed=2.0
    ).sum() in (12, 13)
    assert durations(np.array([-9.0, 99.0], np.float32), speed=1.0).tolist() == [1, 120]


def test_every_frame_knows_its_place_in_its_phone() -> None:
    place, index = places(np.array([2, 1]))
    assert index.tolist() == [0, 0, 1]
    np.testing.assert_allclose(place[:, 0], [0.25, 0.75, 0.5])


def test_marks_belong_to_the_phrase_that_they_end() -> None:
    def segment(symbol: str, ends: int, mark: str = "") -> Segment:
        return Segment(symbol, False, False, ends, mark)

    read = phonemes(
        [
            segment("pau", 0),
            segment("ay", 2, ","),
            segment("pau", 0),
            segment("dx", 0, "?"),
            segment("uw", 2, "?"),
        ]
    )
    assert [MARKS[code] for code in read.codes[:, 4]] == [",", ",", ",", "?", "?"]
    assert read.symbols[3] == "d"


def test_the_lexicon_is_heard(front: FrontEnd) -> None:
    read = front.read(tokens("Ask [M IH1 R AH0]."))
    assert read.symbols == ("pau", "ae", "s", "k", "m", "ih", "r", "ax", "pau")
    assert read.codes[5, 1] == 1 and read.codes[7, 1] == 0


def test_words_end_where_they_do(front: FrontEnd) -> None:
    read = front.read(tokens("A bottle."))
    assert [int(code) for code in read.codes[1:-1, 3]] == [2, 0, 1, 0, 0, 2]
