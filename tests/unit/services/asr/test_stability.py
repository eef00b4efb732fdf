from services.asr.stability import Shown, stability, summed


def test_words_that_only_grow_are_stable() -> None:
    found = stability([Shown("what", 0), Shown("What is", 4), Shown("What is tea", 7)], "What is tea?")
    assert (found.changed, found.flickers, found.broken) == (0, 0, 0)
    assert (found.words, found.updates) == (3, 3)


def test_a_word_that_becomes_another_or_goes_away_counts_each_time() -> None:
    found = stability([Shown("what is the sea", 0), Shown("what is tea", 0)], "what was tea")
    assert found.changed == 3  # "the" and "sea", then "is"
    assert found.flickers == 2


def test_a_word_that_comes_in_between_moves_those_after_it() -> None:
    assert stability([Shown("see the moon", 0)], "see you the moon").changed == 2


def test_a_broken_promise_shows() -> None:
    assert stability([Shown("tell me", 7)], "sell me").broken == 1
    assert stability([Shown("tell me", 7)], "tell").broken == 3


def test_sums_are_by_word_and_by_update() -> None:
    turns = [stability([Shown("a b", 0)], "a c"), stability([Shown("a", 0), Shown("a b", 0)], "a b")]
    assert summed(turns) == {
        "updates": 3,
        "changed_words_per_final_word": 0.25,
        "updates_that_change_a_shown_word": 0.333,
        "turns_without_any_change": 0.5,
        "promised_characters_that_changed": 0,
    }


def test_a_turn_in_which_nothing_was_shown_changes_nothing() -> None:
    assert stability([], "yes").changed == 0
