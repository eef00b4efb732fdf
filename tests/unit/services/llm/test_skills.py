"""Time, sums and numbers in words."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.llm.notes import numbers, skills


@given(st.integers(0, 999_999_999))
def test_numbers_survive_being_said(value: int) -> None:
    assert numbers.read(numbers.say(value)) == value


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what is two plus three", "Two plus three is five."),
        ("how much is twenty three times four", "Twenty three times four is ninety two."),
        ("what is 10 minus 12", "Ten minus twelve is minus two."),
        ("seven divided by two", "Seven divided by two is three, with one left over."),
        ("what is five divided by zero", "Nobody can divide by zero, and I'm no exception."),
        ("what is a hundred and five plus one", "One hundred and five plus one is one hundred and six."),
        ("one plus one of my friends came", None),
        ("what is the north star", None),
    ],
)
def test_sums(question: str, answer: str | None) -> None:
    assert skills.arithmetic(question) == answer


@pytest.mark.parametrize(
    ("hour", "minute", "said"),
    [
        (0, 0, "midnight"),
        (12, 0, "noon"),
        (9, 0, "nine o'clock in the morning"),
        (15, 5, "three oh five in the afternoon"),
        (23, 59, "eleven fifty nine at night"),
    ],
)
def test_the_time(hour: int, minute: int, said: str) -> None:
    assert skills.clock("what time is it", datetime(2024, 11, 22, hour, minute)) == f"It's {said}."


def test_the_date_and_the_year() -> None:
    now = datetime(2024, 11, 22)
    assert skills.clock("what is the date", now) == "It's Friday, November twenty second."
    assert skills.clock("what year is it", now) == "It's twenty twenty four."
    assert skills.clock("what is tea", now) is None
