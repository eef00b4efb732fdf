"""Whatever bytes come, the framing takes them apart exactly or refuses them by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.errors import BadRequest
from parley.media.framing import HEADER, MAX_PAYLOAD_BYTES, VERSION, Flags, Kind, MediaMessage

U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
MESSAGES = st.builds(
    MediaMessage,
    kind=st.sampled_from(Kind),
    generation=U32,
    seq=U32,
    pts_samples=U64,
    payload=st.binary(max_size=300),
    flags=st.integers(0, 7).map(Flags),
)


@given(MESSAGES)
def test_what_is_packed_comes_back(message: MediaMessage) -> None:
    assert MediaMessage.unpack(message.pack()) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_understood_exactly_or_refused(data: bytes) -> None:
    try:
        message = MediaMessage.unpack(data)
    except BadRequest as error:
        assert error.message
    else:
        assert message.pack() == data


@given(MESSAGES, st.data())
def test_a_message_with_one_byte_changed_is_never_half_understood(
    message: MediaMessage, data: st.DataObject
) -> None:
    packed = bytearray(message.pack())
    packed[data.draw(st.integers(0, HEADER.size - 1))] = data.draw(st.integers(0, 255))
    test_any_bytes_are_understood_exactly_or_refused.hypothesis.inner_test(bytes(packed))


@given(MESSAGES, st.integers(1, 50))
def test_a_message_that_was_cut_is_refused(message: MediaMessage, missing: int) -> None:
    with pytest.raises(BadRequest):
        MediaMessage.unpack(message.pack()[:-missing])


def test_a_payload_over_the_limit_is_refused() -> None:
    size = MAX_PAYLOAD_BYTES + 1
    with pytest.raises(BadRequest, match="payload"):
        MediaMessage.unpack(HEADER.pack(VERSION, Kind.VIDEO, 0, 1, 1, 0, size) + bytes(size))
