"""Events on their way to the front, by priority: control, audio, video, text, and a reply's end last.

Within a kind order is kept. While the front keeps up this is a plain queue; when it does not, its voice stays
whole and its face may lose frames whose time has passed.
"""

from collections import deque
from collections.abc import Callable
from enum import IntEnum

from prometheus_client import Counter

from parley.aio import Signal
from parley.conversation.events import (
    ActivityChanged,
    ConversationEvent,
    Flushed,
    ReplyAudio,
    ReplyCall,
    ReplyDone,
    ReplyText,
    ReplyVideo,
    TurnLatency,
    UserPartial,
)
from parley.errors import ParleyError

MAX_WAITING = 4096
"""Credit keeps media to about two seconds; more than this means that nobody reads at all."""

_DROPPED = Counter("parley_video_frames_dropped_total", "Video frames dropped because the front was slow.")


class _Lane(IntEnum):
    CONTROL = 0
    AUDIO = 1
    VIDEO = 2
    TEXT = 3
    END = 4


_LANES: dict[type, _Lane] = {
    ReplyAudio: _Lane.AUDIO,
    ReplyVideo: _Lane.VIDEO,
    ReplyText: _Lane.TEXT,
    ReplyCall: _Lane.TEXT,
    TurnLatency: _Lane.TEXT,
    ReplyDone: _Lane.END,
}


class Outbox:
    """A bounded priority queue with one reader."""

    def __init__(self, *, too_late: Callable[[ReplyVideo], bool]) -> None:
        """Makes an empty queue.

        Args:
            too_late: Asked when a video frame is about to leave: may it be left out, its moment being past?
        """
        self._lanes: list[deque[ConversationEvent]] = [deque() for _ in _Lane]
        self._too_late = too_late
        self._broken_video: int | None = None  # generation whose frames lack their reference until a keyframe
        self._closed = False
        self._changed = Signal()

    def put(self, event: ConversationEvent, *, urgent: bool = False) -> None:
        """Adds an event; nobody waits here.

        Args:
            event: What happened.
            urgent: Treat it as control, whatever it is.

        Raises:
            ParleyError: The front reads nothing any more.
        """
        lane = self._lanes[_Lane.CONTROL if urgent else _LANES.get(type(event), _Lane.CONTROL)]
        if len(lane) >= MAX_WAITING:
            raise ParleyError("The front does not read its events.", code="front_stalled")
        if lane and isinstance(event, ActivityChanged | UserPartial) and type(lane[-1]) is type(event):
            lane.pop()
        lane.append(event)
        self._changed.notify()

    def flush(self, generation: int) -> ReplyDone | None:
        """Puts Flushed, and removes all media and text below `generation`.

        Returns:
            The end of a reply that was removed with it, for the caller to put again as it now is.
        """
        removed: ReplyDone | None = None
        for lane in (_Lane.AUDIO, _Lane.VIDEO, _Lane.TEXT, _Lane.END):
            kept: deque[ConversationEvent] = deque()
            for event in self._lanes[lane]:
                if getattr(event, "generation", generation) >= generation:
                    kept.append(event)
                elif isinstance(event, ReplyDone):
                    removed = event
            self._lanes[lane] = kept
        self.put(Flushed(generation))
        return removed

    def close(self) -> None:
        """No more events come; what waits can still be read."""
        self._closed = True
        self._changed.notify()

    async def get(self) -> ConversationEvent | None:
        """The next event; None after `close`."""
        while True:
            await self._changed.wait_for(lambda: self._closed or any(self._lanes))
            lane = next((lane for lane in self._lanes if lane), None)
            if lane is None:
                return None
            event = lane.popleft()
            if not isinstance(event, ReplyVideo) or not self._drops(event):
                return event

    def _drops(self, frame: ReplyVideo) -> bool:
        """Whether to leave `frame` out: its time has passed, or it builds on one that was left out."""
        broken = self._broken_video == frame.generation and not frame.keyframe
        if not broken and not self._too_late(frame):
            self._broken_video = None
            return False
        self._broken_video = frame.generation
        _DROPPED.inc()
        return True
