from parley.engines import HeardWord
from services.asr.engines.agreement import StablePrefix


def words(text: str, start: int = 0, length: int = 4_000) -> list[HeardWord]:
    return [
        HeardWord(word, start + n * length, start + (n + 1) * length, 0.9)
        for n, word in enumerate(text.split())
    ]


def texts(found: list[HeardWord]) -> str:
    return " ".join(word.text for word in found)


def test_what_two_hypotheses_share_is_committed() -> None:
    prefix = StablePrefix()
    prefix.update(words("what is the whether"))
    assert texts(prefix.committed) == ""
    prefix.update(words("what is the weather like"))
    assert texts(prefix.committed) == "what is the"
    assert texts(prefix.tentative) == "weather like"


def test_case_and_punctuation_do_not_count_as_disagreement() -> None:
    prefix = StablePrefix()
    prefix.update(words("Hello, Mira how"))
    prefix.update(words("hello Mira. How are"))
    assert texts(prefix.committed) == "hello Mira. How"


def test_committed_words_are_never_taken_back() -> None:
    prefix = StablePrefix()
    prefix.update(words("tell me about"))
    prefix.update(words("tell me about cheese"))
    prefix.update(words("sell me aboard cheese please"))
    assert texts(prefix.committed) == "tell me about cheese"
    assert texts(prefix.settle(words("sell me aboard cheese please"))) == "tell me about cheese please"


def test_a_window_that_begins_later_joins_at_the_seam() -> None:
    prefix = StablePrefix()
    prefix.update(words("one two three four"))
    prefix.update(words("one two three four"))
    prefix.update(words("four five", start=12_100))
    prefix.update(words("three four five six", start=7_900))
    assert texts(prefix.committed) == "one two three four five"
    assert texts(prefix.tentative) == "six"


def test_settling_does_not_commit() -> None:
    prefix = StablePrefix()
    prefix.update(words("good mourning"))
    assert texts(prefix.settle(words("good morning"))) == "good morning"
    assert prefix.committed == []


def test_what_was_said_last_is_not_promised_however_often_it_is_guessed() -> None:
    prefix = StablePrefix()
    for _ in range(3):
        prefix.update(words("what is a planet"), until=8_000)
    assert texts(prefix.committed) == "what is"
    assert texts(prefix.settle(words("what is your name"))) == "what is your name"


def test_words_that_are_found_much_later_are_not_said_twice() -> None:
    prefix = StablePrefix()
    for _ in range(2):
        prefix.update(words("what is a"))
    moved = words("what is a galaxy", start=16_000)  # a second later, as small models are
    assert texts(prefix.settle(moved)) == "what is a galaxy"


def test_a_wrong_promise_does_not_make_the_rest_come_again() -> None:
    prefix = StablePrefix()
    for _ in range(2):
        prefix.update(words("do you sleep in"))
    assert texts(prefix.settle(words("do you sleep at night", start=12_000))) == "do you sleep in at night"


def test_what_is_said_again_is_heard_again() -> None:
    prefix = StablePrefix()
    for _ in range(2):
        prefix.update(words("no no"))
    assert texts(prefix.settle(words("no no no"))) == "no no no"
    assert texts(prefix.settle(words("and the moon", start=9_000))) == "no no and the moon"
