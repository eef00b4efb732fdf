"""From the bytes of a text message to a client event, or to an error that names the field."""

import base64
import binascii
from typing import Any, cast

import orjson
from pydantic import ValidationError

from gateway.realtime.messages import MAX_MESSAGE_BYTES, MODELS, Event, EventError

_CODES = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}


def parse(text: str | bytes) -> Event:
    """Reads one event.

    Raises:
        EventError: Too long, not JSON, of unknown type, or with a field that is missing, unknown or wrong.
    """
    if len(text) > MAX_MESSAGE_BYTES:
        raise EventError(
            "message_too_large",
            f"A message of {len(text)} bytes came; at most {MAX_MESSAGE_BYTES} are taken.",
            fix="Send audio in smaller pieces.",
        )
    try:
        raw = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise EventError("invalid_json", f"The message is not JSON: {error}.") from error
    if not isinstance(raw, dict):
        raise EventError("invalid_json", f"An event is a JSON object, this is a {type(raw).__name__}.")
    event_id = raw.get("event_id") if isinstance(raw.get("event_id"), str) else None
    try:
        return _event(raw)
    except EventError as error:
        error.event_id = event_id
        raise


def decode_audio(audio: str, *, param: str) -> bytes:
    """The s16le samples in a base64 string.

    Raises:
        EventError: Not base64, or half a sample at the end; names `param`.
    """
    try:
        pcm = base64.b64decode(audio, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EventError("invalid_value", f"'{param}' is not base64: {error}.", param=param) from error
    if len(pcm) % 2:
        raise EventError(
            "invalid_value", f"'{param}' has {len(pcm)} bytes, which is half a sample too much.", param=param
        )
    return pcm


def _event(raw: dict[str, Any]) -> Event:
    kind = raw.get("type")
    if kind is None:
        raise EventError("missing_required_parameter", "Missing required parameter: 'type'.", param="type")
    model = MODELS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise EventError(
            "invalid_value",
            f"Invalid value for 'type': {str(kind)[:80]!r}.",
            param="type",
            fix=f"Send one of: {', '.join(MODELS)}.",
        )
    try:
        return cast(Event, model.model_validate(raw))
    except ValidationError as error:
        raise _from_validation(error, raw) from error


def _from_validation(error: ValidationError, raw: dict[str, Any]) -> EventError:
    """The first thing that a model found wrong, as an event error."""
    # Of a union without tags every member complains; the longest path is the one that was meant.
    first = max(error.errors(include_url=False, include_input=False), key=lambda e: len(e["loc"]))
    param = ".".join(_path(first["loc"], raw, missing=first["type"] == "missing"))
    code = _CODES.get(first["type"], "invalid_type" if first["type"].endswith("_type") else "invalid_value")
    if code == "missing_required_parameter":
        message = f"Missing required parameter: '{param}'."
    elif code == "unknown_parameter":
        message = f"Unknown parameter: '{param}'."
    else:
        message = f"Invalid value for '{param}': {first['msg']}."
    return EventError(code, message, param=param)


def _path(location: tuple[int | str, ...], raw: Any, *, missing: bool) -> list[str]:
    """A location without the names of union members, which lead nowhere in what was sent."""
    path: list[str] = []
    for number, part in enumerate(location):
        if isinstance(raw, dict | list) and (
            part in raw if isinstance(raw, dict) else isinstance(part, int) and part < len(raw)
        ):
            raw = raw[part]  # type: ignore[index]
            path.append(str(part))
        elif missing and number == len(location) - 1:
            path.append(str(part))
    return path
