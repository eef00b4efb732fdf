"""Events made from the schema, whole and broken: read as they were meant, or refused by the field's name."""

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.realtime.messages import MODELS, EventError
from gateway.realtime.parsing import decode_audio, parse

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text()
ANYTHING = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3), max_leaves=8
)
# The field names of all events, so that what is made goes deep into the models.
FIELDS = sorted(
    {
        name
        for model in MODELS.values()
        for part in (model.model_json_schema(), *model.model_json_schema().get("$defs", {}).values())
        for name in part.get("properties", {})
    }
)
NESTED = st.recursive(
    SCALARS
    | st.sampled_from(["message", "realtime", "user", "input_text", "server_vad", "audio/pcm", "h264"]),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), v, max_size=5),
    max_leaves=15,
)
EVENTS = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from(sorted(MODELS)),
    st.dictionaries(st.sampled_from(FIELDS), NESTED, max_size=5),
)


def understood(raw: dict[str, Any]) -> bool:
    """Reads an event; a refusal must name what is wrong and whose event it was."""
    try:
        event = parse(orjson.dumps(raw))
    except EventError as error:
        assert error.code and error.message
        assert error.event_id == (raw["event_id"] if isinstance(raw.get("event_id"), str) else None)
        assert error.param is None or error.param.startswith((*raw, *FIELDS))
        return False
    assert type(event) is MODELS[raw["type"]]
    return True


@given(EVENTS)
@settings(max_examples=300)
def test_events_of_known_fields(raw: dict[str, Any]) -> None:
    understood(raw)


@given(st.sampled_from(sorted(MODELS)), st.dictionaries(st.text(), ANYTHING, max_size=4))
def test_events_of_unknown_fields(kind: str, fields: dict[str, Any]) -> None:
    assert understood({**fields, "type": kind}) is (
        kind in BARE and set(fields) <= {"event_id", "type"} and _an_id(fields.get("event_id"))
    )


BARE = {
    kind
    for kind, model in MODELS.items()
    if not any(field.is_required() for name, field in model.model_fields.items() if name != "type")
}


def _an_id(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= 512)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with pytest.raises(EventError) as refused:
        parse(data)
    assert refused.value.code in {"invalid_json", "missing_required_parameter", "invalid_value"}


@given(st.binary(max_size=200))
def test_sound_comes_through_whole(pcm: bytes) -> None:
    audio = base64.b64encode(pcm).decode()
    if len(pcm) % 2:
        with pytest.raises(EventError, match="half a sample"):
            decode_audio(audio, param="audio")
    else:
        assert decode_audio(audio, param="audio") == pcm


@given(st.text(max_size=100))
def test_text_that_is_no_sound_is_refused_by_name(text: str) -> None:
    try:
        pcm = decode_audio(text, param="audio")
    except EventError as error:
        assert (error.code, error.param) == ("invalid_value", "audio")
    else:
        assert base64.b64encode(pcm).decode() == text or len(text) % 4 == 0
