"""What the SDK's own models make of the events that a client was sent."""

from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

ADAPTER: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
# What the service sends too, but the SDK's models do not name.
EXTRA = {"session": {"id", "object", "expires_at", "avatar"}, "usage": {"cached_tokens"}}


def check_against_sdk(event: dict[str, Any]) -> None:
    """The SDK's own model of this event type takes it, strictly, and leaves no field over."""
    model = ADAPTER.validate_python(event, strict=True)
    assert model.type == event["type"]
    _no_unknown_fields(model, path="")


def _no_unknown_fields(model: Any, path: str) -> None:
    if isinstance(model, list):
        for one in model:
            _no_unknown_fields(one, path)
    if not hasattr(model, "model_fields_set"):
        return
    extra = set(model.model_extra or {}) - EXTRA.get(path, set())
    assert not extra, f"{path}: {extra}"
    for name in type(model).model_fields:
        _no_unknown_fields(getattr(model, name), name)
