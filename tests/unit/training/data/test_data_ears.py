"""Recogniser and aligner: a clip's result does not depend on the clips before it."""

import numpy as np
import pytest

from parley.media.audio import resample
from services.tts.config import TtsSettings
from services.tts.engines import load
from training.data import ears, forced
from training.data.workspace import Rejected

TEXTS = {"slt": "good morning how did you sleep", "rms": "the shop opens at nine"}


@pytest.fixture(scope="module")
def clips():
    voice = load("flite", TtsSettings())
    return {
        name: resample(np.concatenate([c.audio for c in voice.synthesize(text, voice=name)]), 24_000, 16_000)
        for name, text in TEXTS.items()
    }


@pytest.mark.parametrize("engine", ["sphinx", "sphinx_flat"])
def test_clips_are_heard_the_same_in_any_order(clips, engine):
    # pocketsphinx keeps its cepstral mean from one utterance to the next; a run that was killed and resumed
    # heard the rest of its clips otherwise than one that was not.
    first = [ears.hear(engine, "", clips[name]) for name in ("slt", "rms")]
    second = [ears.hear(engine, "", clips[name]) for name in ("rms", "slt")]
    assert first == second[::-1]
    assert "morning" in first[0].text and first[0].words[0].end_s > first[0].words[0].start_s


def test_words_are_found_where_they_are_in_any_order(clips):
    first = [forced.align(clips[name], TEXTS[name]) for name in ("slt", "rms")]
    second = [forced.align(clips[name], TEXTS[name]) for name in ("rms", "slt")]
    assert first == second[::-1]
    assert [word.text for word in first[1].words] == TEXTS["rms"].split()
    ends = [word.end_s for word in first[1].words]
    assert ends == sorted(ends) and ends[-1] <= len(clips["rms"]) / 16_000 + 0.02


def test_a_text_that_fits_scores_better_than_one_that_does_not(clips):
    right = forced.align(clips["rms"], TEXTS["rms"]).score
    try:
        wrong = forced.align(clips["rms"], "a very purple elephant sang").score
    except Rejected:
        wrong = -np.inf
    assert right > wrong + 1


def test_nothing_can_be_aligned_with_nothing(clips):
    with pytest.raises(Rejected, match="no words"):
        forced.align(clips["rms"], "123 !")


def test_a_taught_word_is_aligned_as_taught_and_the_next_text_is_not(clips):
    by_rule = forced.align(clips["rms"], TEXTS["rms"])
    taught = forced.align(clips["rms"], TEXTS["rms"], {"Nine": "N AY1 N AH0 N"})
    assert [name for name, _, _ in taught.words[4].phones] == ["N", "AY", "N", "AH", "N"]
    assert taught.words[4].text == "nine"
    assert forced.align(clips["rms"], TEXTS["rms"]) == by_rule
    assert [name for name, _, _ in by_rule.words[4].phones] == ["N", "AY", "N"]


def test_a_taught_word_is_heard():
    voice = load("flite", TtsSettings())
    said = np.concatenate([c.audio for c in voice.synthesize("ask [Z ER1 B L AO0 N] about it.", voice="slt")])
    audio = resample(said, 24_000, 16_000)
    assert "zerblon" not in ears.hear("sphinx", "", audio).text.lower()
    assert "zerblon" in ears.hear("sphinx", "", audio, lexicon={"Zerblon": "Z ER B L AO N"}).text.lower()
