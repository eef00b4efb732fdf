"""From what happens in the conversation to events of the Realtime dialect, in its order. Sans I/O."""

import base64
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.realtime.items import Item, Items
from gateway.realtime.outbox import Lane, Message
from gateway.realtime.session_config import SessionState
from parley.conversation import events as happened
from parley.media.clock import BYTES_PER_SAMPLE, ms_to_samples, samples_to_ms
from parley.media.framing import Flags, Kind, MediaMessage

Out = tuple[Lane, Message]
INPUT_TOKENS_PER_S = 10  # as the OpenAI service counts: one token for 100 ms in, for 50 ms out
OUTPUT_TOKENS_PER_S = 20
CHARS_PER_TOKEN = 4


def new_id(prefix: str) -> str:
    """A fresh id, "item_…", "resp_…" or "event_…"."""
    return f"{prefix}_{secrets.token_hex(10)}"


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """A server event with an id of its own."""
    return {"type": kind, "event_id": new_id("event"), **fields}


def text_message(content: dict[str, Any], *, generation: int = 0, opens: int = 0) -> Message:
    """A JSON message."""
    return Message(orjson.dumps(content).decode(), generation=generation, opens=opens)


def usage(*, text_in: int, audio_in_ms: float, text_out: int, audio_out_ms: float) -> dict[str, Any]:
    """A `usage` object: characters and milliseconds counted as tokens."""
    tokens_in = {
        "text_tokens": -(-text_in // CHARS_PER_TOKEN),
        "audio_tokens": round(audio_in_ms * INPUT_TOKENS_PER_S / 1000),
    }
    tokens_out = {
        "text_tokens": -(-text_out // CHARS_PER_TOKEN),
        "audio_tokens": round(audio_out_ms * OUTPUT_TOKENS_PER_S / 1000),
    }
    total_in, total_out = sum(tokens_in.values()), sum(tokens_out.values())
    return {
        "total_tokens": total_in + total_out,
        "input_tokens": total_in,
        "output_tokens": total_out,
        "input_token_details": {**tokens_in, "image_tokens": 0, "cached_tokens": 0},
        "output_token_details": tokens_out,
    }


@dataclass(slots=True)
class Response:
    """A reply that is being said.

    Attributes:
        generation: 0: beside the conversation, without media messages.
        in_conversation: Its item belongs to the conversation.
        reason: Why it was cancelled, if it was: "turn_detected" unless the client asked.
        opened: Its message was announced. Where functions may be called that waits for the first word, since
            a reply that only calls has no message.
        calls: What it calls.
    """

    id: str
    item: Item
    generation: int
    conversation_id: str
    binary: bool = False
    in_conversation: bool = True
    metadata: dict[str, str] | None = None
    text: str = ""
    reason: str = "turn_detected"
    opened: bool = False
    calls: list[Item] = field(default_factory=list)

    def shown(
        self, status: str, *, details: dict[str, Any] | None, used: dict[str, Any] | None
    ) -> dict[str, Any]:
        """The `response` object."""
        modality = "audio" if self.item.spoken else "text"
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": status,
            "status_details": details,
            "output": [] if status == "in_progress" else [item.shown() for item in self._output()],
            "conversation_id": self.conversation_id if self.in_conversation else None,
            "output_modalities": [modality],
            "max_output_tokens": "inf",
            "metadata": self.metadata,
            "usage": used,
        }

    def opening(self) -> Iterator[dict[str, Any]]:
        """Events that announce it."""
        yield event("response.created", response=self.shown("in_progress", details=None, used=None))
        yield event("rate_limits.updated", rate_limits=[])

    def opening_message(self, previous_item_id: str | None) -> Iterator[dict[str, Any]]:
        """Events that announce its message."""
        self.opened = True
        part = {"type": "audio", "transcript": ""} if self.item.spoken else {"type": "text", "text": ""}
        yield from self._added(self.item, previous_item_id)
        yield event("response.content_part.added", **self._place(), part=part)

    def called(self, call: Item, previous_item_id: str | None) -> Iterator[dict[str, Any]]:
        """Events of a call of a function; it is complete when it is known."""
        call.status = "in_progress"
        self.calls.append(call)
        yield from self._added(call, previous_item_id)
        call.status = "completed"
        place = {"response_id": self.id, "item_id": call.id, "output_index": self._output().index(call)}
        place |= {"call_id": call.call_id}
        kind = "response.function_call_arguments"
        yield event(f"{kind}.delta", **place, delta=call.text)
        yield event(f"{kind}.done", **place, name=call.name, arguments=call.text)
        yield from self._done(call, previous_item_id)

    def _added(self, item: Item, previous_item_id: str | None) -> Iterator[dict[str, Any]]:
        shown, index = item.shown(), self._output().index(item)
        yield event("response.output_item.added", response_id=self.id, output_index=index, item=shown)
        if self.in_conversation:
            yield event("conversation.item.added", previous_item_id=previous_item_id, item=shown)

    def _done(self, item: Item, previous_item_id: str | None) -> Iterator[dict[str, Any]]:
        shown, index = item.shown(), self._output().index(item)
        if self.in_conversation:
            yield event("conversation.item.done", previous_item_id=previous_item_id, item=shown)
        yield event("response.output_item.done", response_id=self.id, output_index=index, item=shown)

    def _output(self) -> list[Item]:
        return [*([self.item] if self.opened else []), *self.calls]

    def more_text(self, text: str) -> dict[str, Any]:
        """More of the text or transcript."""
        self.text += text
        kind = "output_audio_transcript" if self.item.spoken else "output_text"
        return event(f"response.{kind}.delta", **self._place(), delta=text)

    def more_audio(self, pcm: bytes) -> dict[str, Any]:
        """More of the speech, for a client that takes it as JSON."""
        self.item.audio_samples += len(pcm) // BYTES_PER_SAMPLE
        return event("response.output_audio.delta", **self._place(), delta=base64.b64encode(pcm).decode())

    def closing(
        self, status: str, *, previous_item_id: str | None, error: tuple[str, str], used: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Events that end it; `error` is (code, message) of a failed one."""
        if self.opened:
            yield from self._closing_message(previous_item_id)
        details: dict[str, Any] = {"type": status}
        if status == "cancelled":
            details["reason"] = self.reason
        if status == "failed":
            details["error"] = {"type": "server_error", "code": error[0], "message": error[1]}
        yield event(
            "response.done",
            response=self.shown(status, details=None if status == "completed" else details, used=used),
        )

    def _closing_message(self, previous_item_id: str | None) -> Iterator[dict[str, Any]]:
        place, text = self._place(), self.text
        if self.item.spoken:
            yield event("response.output_audio.done", **place)
            yield event("response.output_audio_transcript.done", **place, transcript=text)
            part = {"type": "audio", "transcript": text}
        else:
            yield event("response.output_text.done", **place, text=text)
            part = {"type": "text", "text": text}
        yield event("response.content_part.done", **place, part=part)
        yield from self._done(self.item, previous_item_id)

    def _place(self) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": self.item.id, "output_index": 0, "content_index": 0}


@dataclass(slots=True)
class _Hearing:
    """A turn of the person that is not transcribed yet; `sent`: characters told as deltas."""

    stable: str = ""
    sent: int = 0
    committed: bool = False
    speaking: bool = False
    started_ms: int = 0
    stopped_ms: int = 0


@dataclass(slots=True)
class Dialect:
    """One websocket's view of its conversation.

    Attributes:
        state: Gives the configuration in force.
        input_ms: Gives the input clock.
        items: The conversation's items.
        response: The reply that is being sent, if any.
    """

    conversation_id: str
    state: Callable[[], SessionState]
    input_ms: Callable[[], int]
    items: Items
    response: Response | None = None
    last_response: Response | None = None
    metadata: dict[str, str] | None = None
    truncated_by_client: set[str] = field(default_factory=set)
    _turns: dict[str, _Hearing] = field(default_factory=dict)
    _heard_ms: float = 0.0

    def translate(self, what: happened.ConversationEvent) -> Iterator[Out]:
        """The messages that tell the client `what` happened, in order."""
        face = self.state().face is not None
        match what:
            case happened.ReplyAudio():
                yield from self._audio(what)
            case happened.ReplyVideo():
                yield from self._video(what)
            case happened.ActivityChanged(activity):
                if face:
                    yield _text(event("avatar.state", state=activity.value))
            case happened.UserPartial():
                yield from self._partial(what, face)
            case happened.ReplyStarted():
                yield from self._reply_started(what, face)
            case happened.ReplyText():
                yield from self._words(what, face)
            case happened.ReplyCall():
                yield from self._called(what)
            case happened.ReplyDone():
                yield from map(_text, self._reply_done(what))
            case happened.Paused(generation) | happened.Resumed(generation) | happened.Flushed(generation):
                if face:
                    kind = {"Paused": "pause", "Resumed": "resume", "Flushed": "flush"}[type(what).__name__]
                    yield Lane.URGENT, text_message(event(f"avatar.{kind}", generation=generation))
            case happened.TurnLatency(generation, ms):
                if face:
                    yield _text(event("avatar.latency", generation=generation, ms=ms))
            case happened.Problem(code, message):
                yield _text(error_event("server_error", code, message))
            case happened.ItemTruncated():
                yield from map(_text, self._truncated(what))
            case _:
                yield from map(_text, self._person(what))

    def _person(self, what: happened.ConversationEvent) -> Iterator[dict[str, Any]]:
        match what:
            case happened.UserSpeechStarted(item_id, at_ms):
                turn = self._turns.setdefault(item_id, _Hearing(started_ms=at_ms))
                turn.speaking = True
                yield event("input_audio_buffer.speech_started", audio_start_ms=at_ms, item_id=item_id)
            case happened.UserSpeechStopped(item_id, at_ms):
                turn = self._turns.setdefault(item_id, _Hearing(started_ms=at_ms))
                turn.speaking, turn.stopped_ms = False, at_ms
                yield event("input_audio_buffer.speech_stopped", audio_end_ms=at_ms, item_id=item_id)
            case happened.UserTurnCommitted(item_id):
                yield from self._committed(item_id)
            case happened.UserTranscript(item_id, text, error):
                yield from self._transcribed(item_id, text, error)
            case happened.UserTurnDropped(item_id):
                dropped = self._turns.pop(item_id, None)
                if dropped and dropped.speaking:  # nobody may be left believing that someone speaks
                    yield event(
                        "input_audio_buffer.speech_stopped", audio_end_ms=self.input_ms(), item_id=item_id
                    )

    def _committed(self, item_id: str) -> Iterator[dict[str, Any]]:
        turn = self._turns.setdefault(item_id, _Hearing(started_ms=self.input_ms()))
        turn.committed = True
        self._heard_ms = max(0, (turn.stopped_ms or self.input_ms()) - turn.started_ms)
        item = Item(item_id, "user", spoken=True)
        previous = self.items.append(item)
        yield event("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        yield event("conversation.item.added", previous_item_id=previous, item=item.shown())
        yield event("conversation.item.done", previous_item_id=previous, item=item.shown())
        yield from self._stable_delta(item_id, turn)

    def _transcribed(self, item_id: str, text: str, error: str) -> Iterator[dict[str, Any]]:
        turn = self._turns.pop(item_id, _Hearing())
        item = self.items.get(item_id)
        if item is not None and not error:
            item.text = text
        if self.state().transcription is None:
            return
        place = {"item_id": item_id, "content_index": 0}
        name = "conversation.item.input_audio_transcription"
        if error:
            problem = {"type": "transcription_error", "code": "transcription_failed", "message": error}
            yield event(f"{name}.failed", **place, error={**problem, "param": None})
            return
        rest = text[turn.sent :] if text.startswith(turn.stable[: turn.sent]) else ""
        if rest:
            yield event(f"{name}.delta", **place, delta=rest)
        seconds = max(0, turn.stopped_ms - turn.started_ms) / 1000
        yield event(
            f"{name}.completed", **place, transcript=text, usage={"type": "duration", "seconds": seconds}
        )

    def _partial(self, what: happened.UserPartial, face: bool) -> Iterator[Out]:
        if face:
            shown = event(
                "avatar.transcript.partial",
                item_id=what.item_id,
                text=what.text,
                stable_chars=what.stable_chars,
            )
            yield _text(shown)
        turn = self._turns.setdefault(what.item_id, _Hearing(started_ms=self.input_ms()))
        if what.stable_chars > len(turn.stable):
            turn.stable = what.text[: what.stable_chars]
        if turn.committed:
            yield from map(_text, self._stable_delta(what.item_id, turn))

    def _stable_delta(self, item_id: str, turn: _Hearing) -> Iterator[dict[str, Any]]:
        """What will not change any more may be told as a delta, once the item is known to the client."""
        delta = turn.stable[turn.sent :]
        if delta and self.state().transcription is not None:
            turn.sent = len(turn.stable)
            kind = "conversation.item.input_audio_transcription.delta"
            yield event(kind, item_id=item_id, content_index=0, delta=delta)

    def _reply_started(self, what: happened.ReplyStarted, face: bool) -> Iterator[Out]:
        state = self.state()
        item = Item(what.item_id, "assistant", spoken=not state.text_only, status="in_progress")
        response = Response(
            what.response_id,
            item,
            what.generation,
            self.conversation_id,
            binary=state.binary,
            metadata=self.metadata,
        )
        self.metadata = None
        self.response = self.last_response = response
        yield from map(_text, response.opening())
        if not state.tools:
            yield from self._open(response)
        if face:
            started = event(
                "avatar.reply.started",
                response_id=response.id,
                item_id=item.id,
                generation=what.generation,
            )
            yield Lane.TEXT, text_message(started, opens=what.generation)

    def _words(self, what: happened.ReplyText, face: bool) -> Iterator[Out]:
        response = self.response
        if response is None or response.generation != what.generation:
            return
        yield from self._open(response)
        yield _text(response.more_text(what.text))
        if face and what.citations:
            cited = list(what.citations)
            told = {"item_id": response.item.id, "generation": what.generation, "citations": cited}
            yield _text(event("avatar.citations", **told))

    def _open(self, response: Response) -> Iterator[Out]:
        """Announces the reply's message, once."""
        if not response.opened:
            previous = self.items.append(response.item)
            yield from map(_text, response.opening_message(previous))

    def _called(self, what: happened.ReplyCall) -> Iterator[Out]:
        response = self.response
        if response is None or response.generation != what.generation:
            return
        call = Item(
            what.item_id,
            "assistant",
            spoken=False,
            text=what.arguments,
            kind="function_call",
            call_id=what.call_id,
            name=what.name,
        )
        previous = self.items.append(call)
        yield from map(_text, response.called(call, previous))

    def _reply_done(self, what: happened.ReplyDone) -> Iterator[dict[str, Any]]:
        response = self.response
        if response is None or response.generation != what.generation:
            return
        self.response = None
        item = response.item
        completed = what.status is happened.ReplyStatus.COMPLETED
        item.status = "completed" if completed else "incomplete"
        response.text = what.text
        item.text = what.text if completed else what.heard
        used = usage(
            text_in=sum(len(i.text or "") for i in self.items if i is not item),
            audio_in_ms=self._heard_ms,
            text_out=len(what.text),
            audio_out_ms=samples_to_ms(item.audio_samples),
        )
        self._heard_ms = 0.0
        yield from response.closing(
            what.status.value,
            previous_item_id=self._before(item.id),
            error=(what.error_code, what.error_message),
            used=used,
        )

    def _audio(self, what: happened.ReplyAudio) -> Iterator[Out]:
        response = self.response
        binary = response.binary if response else self.state().binary
        if binary:
            if response and response.generation == what.generation:
                response.item.audio_samples += len(what.pcm) // BYTES_PER_SAMPLE
            flags = Flags.END_OF_REPLY if what.last else Flags.NONE
            media = MediaMessage(Kind.PCM16, what.generation, what.seq, what.pts_samples, what.pcm, flags)
            yield Lane.AUDIO, Message(media.pack(), generation=what.generation)
        elif response and response.generation == what.generation and what.pcm:
            yield from self._open(response)
            yield Lane.TEXT, text_message(response.more_audio(what.pcm), generation=what.generation)

    def _video(self, what: happened.ReplyVideo) -> Iterator[Out]:
        if not self.state().codec or not what.data:
            return
        flags = Flags.KEYFRAME if what.keyframe else Flags.NONE
        if what.last:
            flags |= Flags.END_OF_REPLY
        media = MediaMessage(Kind.VIDEO, what.generation, what.seq, what.pts_samples, what.data, flags)
        yield Lane.VIDEO, Message(media.pack(), generation=what.generation, keyframe=what.keyframe)

    def _truncated(self, what: happened.ItemTruncated) -> Iterator[dict[str, Any]]:
        item = self.items.get(what.item_id)
        if item is None:  # it was stopped before its first word
            return
        item.text = what.heard
        item.audio_samples = min(item.audio_samples, ms_to_samples(what.heard_ms))
        if what.item_id in self.truncated_by_client:
            self.truncated_by_client.discard(what.item_id)
            return
        yield event(
            "conversation.item.truncated",
            item_id=what.item_id,
            content_index=0,
            audio_end_ms=what.heard_ms,
        )

    def _before(self, item_id: str) -> str | None:
        previous = None
        for item in self.items:
            if item.id == item_id:
                break
            previous = item.id
        return previous


def error_event(
    kind: str, code: str, message: str, *, param: str | None = None, event_id: str | None = None
) -> dict[str, Any]:
    """An `error` event; `event_id` is the client's."""
    error = {"type": kind, "code": code, "message": message, "param": param, "event_id": event_id}
    return event("error", error=error)


def _text(content: dict[str, Any]) -> Out:
    return Lane.TEXT, text_message(content)
