"""What a voice learns from: the right durations, the right pitch, and never the benches' sentences."""

from itertools import islice

import numpy as np
import pytest

from parley.engines import SpeechChunk, TimedPhone
from services.tts.bench import SENTENCES
from services.tts.fastpitch.frames import HOP
from services.tts.fastpitch.phonemes import SIZES, Phonemes
from services.tts.fastpitch.source import buzz
from services.tts.text import normalize
from training.llm import wordnet
from training.tts import material, measures, pitch


def spoken(*phones: tuple[str, int]) -> list[TimedPhone]:
    return [TimedPhone(symbol, end * HOP) for symbol, end in phones]


@pytest.fixture
def read() -> Phonemes:
    codes = np.zeros((5, len(SIZES)), np.int64)
    codes[:, 0] = [1, 7, 27, 2, 1]
    codes[:, 4] = 2
    return Phonemes(("pau", "ax", "l", "aa", "pau"), codes)


def test_phones_get_the_frames_that_they_were_spoken_in(read: Phonemes) -> None:
    found = material.placed(read, spoken(("pau", 3), ("ah", 5), ("l", 9), ("aa", 14), ("pau", 20)), 20)
    assert found is not None
    codes, durations = found
    assert durations.tolist() == [3, 2, 4, 5, 6]
    np.testing.assert_array_equal(codes[:, 0], read.codes[:, 0])


def test_a_pause_is_where_the_voice_made_it(read: Phonemes) -> None:
    phones = spoken(("pau", 3), ("ah", 5), ("pau", 6), ("pau", 8), ("l", 9), ("aa", 14), ("pau", 20))
    found = material.placed(read, phones, 20)
    assert found is not None
    codes, durations = found
    assert codes[:, 0].tolist() == [1, 7, 1, 27, 2, 1] and durations.tolist() == [3, 2, 3, 1, 5, 6]
    assert codes[2, 4] == 2


def test_another_pronunciation_is_left_out(read: Phonemes) -> None:
    assert material.placed(read, spoken(("pau", 3), ("iy", 5), ("l", 9), ("aa", 14), ("pau", 20)), 20) is None


def test_the_benches_sentences_are_never_learnt() -> None:
    held_out = {normalize(text) for text in SENTENCES}
    texts = list(islice(material.texts(), 600))
    assert len(set(texts)) == 600
    assert not held_out & set(texts)


def test_rich_sentences_are_every_second_one(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [f"the {word} of the tale" for word in ("moral", "hero", "end", "point")]
    monkeypatch.setattr(wordnet, "examples", lambda: examples)
    texts = list(islice(material.texts(rich=True), 400))
    at = [texts.index(text) for text in examples]
    assert max(at) - min(at) < 20
    assert len(texts) == 400


class Beeper:
    """Says everything as one vowel, or as what it is told to."""

    name, model, has_phones = "beeper", "", True

    def __init__(self, *symbols: str) -> None:
        self._symbols = symbols

    def voices(self) -> list[str]:
        return ["one"]

    def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> list[SpeechChunk]:
        sound = 0.03 * buzz(np.full(8 * len(self._symbols), 150, np.float32))
        ends = [8 * HOP * (k + 1) for k in range(len(self._symbols))]
        return [SpeechChunk(sound, [TimedPhone(s, e) for s, e in zip(self._symbols, ends, strict=True)])]


def test_a_clip_is_kept_as_it_is(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from services.tts.fastpitch.phonemes import FrontEnd

    clip = material.record("Eye.", FrontEnd(), Beeper("pau", "ay", "pau"), "one")
    assert clip is not None
    material.write(tmp_path / "000001.npz", clip)
    (kept,) = material.load(tmp_path)
    assert kept.text == "Eye." and kept.durations.tolist() == [8, 8, 8]
    np.testing.assert_allclose(kept.audio, clip.audio, atol=1e-4)
    assert material.record("No.", FrontEnd(), Beeper("pau", "ay", "pau"), "one") is None


@pytest.mark.parametrize("hertz", [90.0, 150.0, 240.0])
def test_the_pitch_is_found_and_silence_has_none(hertz: float) -> None:
    line = np.full(60, hertz, np.float32)
    sound = 0.2 * buzz(line) * np.repeat(np.arange(60) < 40, HOP)
    found = pitch.track(sound.astype(np.float32))
    assert np.median(found[5:35]) == pytest.approx(hertz, rel=0.01)
    assert (np.abs(found[5:35] / hertz - 1) < 0.03).all()
    assert (found[45:] == 0).all()


def test_the_pitch_is_carried_through_what_has_none() -> None:
    line = pitch.filled(np.array([0, 100, 0, 400, 0], np.float32))
    np.testing.assert_allclose(line, [100, 100, 200, 400, 400], rtol=1e-5)


def test_speech_is_no_distance_from_itself_however_late() -> None:
    sound = (0.2 * buzz(np.linspace(100, 200, 50).astype(np.float32))).astype(np.float32)
    late = np.concatenate([np.zeros(10 * HOP, np.float32), sound])
    other = np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32) * 0.1
    assert measures.distortion_db(sound, late) < 0.2 * measures.distortion_db(other, sound)
    error, voicing = measures.pitch_error(late, sound)
    assert error < 3 and voicing < 0.1


def test_the_cheapest_path_may_wait_on_either_side() -> None:
    rows, columns = measures.path(np.abs(np.array([1.0, 1, 2, 3])[:, None] - np.array([1.0, 2, 2, 3])))
    assert rows.tolist() == [0, 1, 2, 2, 3] and columns.tolist() == [0, 0, 1, 2, 3]
