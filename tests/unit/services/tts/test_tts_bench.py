"""The bench's arithmetic."""

import pytest

from services.tts.bench import word_errors


@pytest.mark.parametrize(
    ("reference", "heard", "errors"),
    [
        ("the boy was there", "The boy was there", 0),
        ("the boy was there", "the toy was", 2),
        ("the boy", "the big boy now", 2),
        ("the boy", "", 2),
    ],
)
def test_word_errors(reference: str, heard: str, errors: int) -> None:
    assert word_errors(reference, heard) == (errors, len(reference.split()))
