"""From an item as a client describes it to one of the conversation's."""

from typing import Final

from gateway.realtime import messages as m
from gateway.realtime.dialect import new_id
from gateway.realtime.items import Item
from gateway.realtime.parsing import decode_audio

CONTENT_TYPES: Final = {
    "user": ("input_text", "input_audio"),
    "system": ("input_text",),
    "assistant": ("output_text", "output_audio", "text"),
}


def read_item(given: m.GivenItem, path: str) -> tuple[Item, bytes]:
    """The item, and its audio (s16le mono 24 kHz), if it has any that is not transcribed.

    Args:
        given: What the client sent.
        path: Where it stands in the event, for errors.

    Raises:
        EventError: A part that such a message cannot hold, or that lacks its content; names the field.
    """
    item = Item(given.id or new_id("item"), "assistant", spoken=False, kind=given.type)
    match given:
        case m.FunctionCallItem():
            item.call_id, item.name, item.text = given.call_id, given.name, given.arguments
        case m.FunctionCallOutputItem():
            item.role, item.call_id, item.text = "tool", given.call_id, given.output
        case m.MessageItem():
            item.role = given.role
            item.spoken = any(part.type.endswith("_audio") for part in given.content)
            words, pcm = _content(given, path)
            item.text = None if pcm else words
            return item, pcm
    return item, b""


def _content(given: m.MessageItem, path: str) -> tuple[str, bytes]:
    """All words, and all audio."""
    words: list[str] = []
    pcm = b""
    for number, part in enumerate(given.content):
        place = f"{path}.content.{number}"
        if part.type not in CONTENT_TYPES[given.role]:
            allowed = ", ".join(CONTENT_TYPES[given.role])
            message = f"A {given.role} message cannot hold {part.type!r}."
            raise m.EventError("invalid_value", message, param=f"{place}.type", fix=f"Send {allowed}.")
        if part.type == "input_audio" and not part.transcript:
            if not part.audio:
                raise m.EventError(
                    "missing_required_parameter",
                    f"Missing required parameter: '{place}.audio'.",
                    param=f"{place}.audio",
                )
            pcm += decode_audio(part.audio, param=f"{place}.audio")
            continue
        text = part.transcript if part.type.endswith("_audio") else part.text
        if text is None:
            name = "transcript" if part.type.endswith("_audio") else "text"
            raise m.EventError(
                "missing_required_parameter",
                f"Missing required parameter: '{place}.{name}'.",
                param=f"{place}.{name}",
            )
        words.append(text)
    return "\n".join(words), pcm
