"""What a person is told when the gateway, or something before it, says no."""

import pytest

from parley.client.client import refusal


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"error": {"message": "No avatar \'x\'.", "code": "unknown_avatar"}}', "No avatar 'x'."),
        (b"<h1>502 Bad Gateway</h1>", "<h1>502 Bad Gateway</h1>"),
        (b'["no"]', '["no"]'),
        (b'{"error": "no"}', '{"error": "no"}'),
        (b"", ""),
    ],
)
def test_the_message_is_told_without_its_wrapping(body: bytes, told: str) -> None:
    assert refusal(body) == told
