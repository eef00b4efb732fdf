"""How finished does it read?"""

import pytest

from parley.turns.completeness import COMPLETE, INCOMPLETE, completeness, pause_ms
from parley.turns.words import is_backchannel, wants_the_floor, words

FINISHED = """
hello | yes | thank you very much | good morning | stop | my favourite colour is blue | yes i am | red wine
what is your name | how are you | where are you from | what are you made of | who is he | can you help me
what do you like | what do you think | what can you do | tell me who you are | how does it work | what's that
so um what's your name | tell me more | go on | are you a robot | where do you live | he was not an illusion
Hello, my name is John. | I have two | i'd like to know | do you know what it is | what is this | what's up
""".replace("\n", "|")

UNFINISHED = """
 | um | uh huh um | tell me about | how do you | i went to the store and | the weather is | what is
what is the
can you | do you like | i want to | i think | how does it | could you explain | is it | because | well
i was wondering if | can you tell me what the | my | i'm | the one that i | we went because | do you want
I was going to… | so, | and then I | it costs about | where did they
""".replace("\n", "|")


@pytest.mark.parametrize("text", [t.strip() for t in FINISHED.split("|") if t.strip()])
def test_finished_turns_need_only_the_short_pause(text: str) -> None:
    assert completeness(text) >= COMPLETE


@pytest.mark.parametrize("text", sorted({t.strip() for t in UNFINISHED.split("|")}))
def test_unfinished_turns_get_the_long_pause(text: str) -> None:
    assert completeness(text) <= INCOMPLETE


@pytest.mark.parametrize("text", ["mira", "what", "why", "some", "i would like some", "it was just"])
def test_in_doubt_the_pause_lies_between(text: str) -> None:
    assert INCOMPLETE < completeness(text) < COMPLETE


def test_the_score_is_a_share() -> None:
    for text in (FINISHED + UNFINISHED).split("|"):
        assert 0 <= completeness(text) <= 1


def test_other_languages_are_judged_by_punctuation() -> None:
    assert completeness("Wie heißt du?", language="de-DE") >= COMPLETE
    assert completeness("Ich möchte,", language="de-DE") <= INCOMPLETE
    assert INCOMPLETE < completeness("Ich möchte", language="de") < COMPLETE


@pytest.mark.parametrize(
    ("score", "expected"), [(1.0, 400), (0.6, 400), (0.45, 700), (0.3, 1000), (0.0, 1000)]
)
def test_pauses_grow_as_the_score_falls(score: float, expected: float) -> None:
    assert pause_ms(score, complete_ms=400, incomplete_ms=1000, max_ms=1500) == pytest.approx(expected)


def test_no_pause_is_longer_than_the_longest() -> None:
    assert pause_ms(0.0, complete_ms=400, incomplete_ms=9000, max_ms=1500) == 1500


@pytest.mark.parametrize(
    "text", ["mm-hm", "Yeah.", "okay", "uh-huh", "right, right", "I see", "oh wow", "mhm"]
)
def test_backchannels(text: str) -> None:
    assert is_backchannel(text)
    assert not wants_the_floor(text)


@pytest.mark.parametrize("text", ["", "uh", "the", "and a"])
def test_what_recognisers_make_of_a_cough(text: str) -> None:
    assert not wants_the_floor(text)


@pytest.mark.parametrize(
    "text", ["stop", "wait", "no", "yeah but", "okay so what is that", "what about the", "i"]
)
def test_words_that_want_the_floor(text: str) -> None:
    assert not is_backchannel(text)
    assert wants_the_floor(text) is (text != "yeah but")


def test_words_are_lower_case_without_punctuation() -> None:
    assert words("Hello, it’s ME — uh-huh!") == ["hello", "it's", "me", "uh", "huh"]
