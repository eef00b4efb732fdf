"""Where the microphone is, and where the loudspeaker is."""

from collections import deque

from parley.media.clock import SAMPLE_RATE_HZ

_REMEMBERED_SAMPLES = 30 * SAMPLE_RATE_HZ
_LIVE_CHUNK_S = 0.2


class InputClock:
    """Maps the input clock (samples received) to the time when they arrived."""

    def __init__(self) -> None:
        self.samples = 0
        self._arrivals: deque[tuple[int, float]] = deque()

    def heard(self, samples: int, now: float) -> None:
        """`samples` more have arrived."""
        self.samples += samples
        self._arrivals.append((self.samples, now))
        while self._arrivals[0][0] < self.samples - _REMEMBERED_SAMPLES:
            self._arrivals.popleft()

    def arrived_at(self, samples: int) -> float | None:
        """When the sample of that number arrived; None: nothing has.

        Samples are taken to come evenly within their chunk, unless it is so long that it was no live chunk.
        """
        before = float("-inf")
        for end, time in self._arrivals:
            if end >= samples:
                return max(time - min((end - samples) / SAMPLE_RATE_HZ, _LIVE_CHUNK_S), before)
            before = time
        return before if self._arrivals else None


class PlaybackClock:
    """How much of one reply the person has heard, in samples of the media clock.

    Reports of the front are authoritative. Where there are none the reply is taken to play in real time from
    when its audio was sent, to stand still where nothing is left to play, and while it is paused.
    """

    def __init__(self, *, reported: bool) -> None:
        self.sent = 0
        self.reported = reported
        self._paused = False
        self._position = 0
        self._since = 0.0

    def position(self, now: float) -> int:
        """Samples heard by `now`."""
        if self.reported or self._paused:
            return self._position
        return min(self.sent, self._position + max(0, round((now - self._since) * SAMPLE_RATE_HZ)))

    def send(self, end_samples: int, now: float) -> None:
        """Audio up to `end_samples` went to the front."""
        self._settle(now)
        self.sent = max(self.sent, end_samples)

    def report(self, samples: int) -> bool:
        """The front has played `samples`; more than was sent, or less than before, is no news.

        Returns:
            Whether the position has changed.
        """
        samples = min(samples, self.sent)
        if samples <= self._position:
            return False
        self._position = samples
        return True

    def pause(self, now: float) -> None:
        self._settle(now)
        self._paused = True

    def resume(self, now: float) -> None:
        self._settle(now)
        self._paused = False

    def plays_until(self, now: float) -> float:
        """When all that was sent will have been heard, if it plays in real time; endless while paused."""
        if self._paused:
            return float("inf")
        return now + (self.sent - self.position(now)) / SAMPLE_RATE_HZ

    @property
    def paused(self) -> bool:
        """Whether the front was asked to be silent."""
        return self._paused

    def _settle(self, now: float) -> None:
        self._position, self._since = self.position(now), now
