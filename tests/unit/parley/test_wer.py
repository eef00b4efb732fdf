"""Word error rate."""

from parley.wer import word_errors


def test_errors_are_counted_on_plain_words() -> None:
    assert word_errors("Mister Smith, hello!", "mr smith hello") == (0, 3)
    assert word_errors("one two three", "one three four") == (2, 3)
    assert word_errors("one two", "") == (2, 2)
    assert word_errors("", "noise") == (1, 0)
