"""A loudspeaker without a sound card: plays replies on the wall clock, as the page's audio worklet does."""

from dataclasses import dataclass

from parley.media.clock import SAMPLE_RATE_HZ


@dataclass(slots=True)
class Player:
    """Playback of one reply at a time; all times in seconds of one monotonic clock, passed in.

    Attributes:
        generation: The reply being played; 0 before the first.
        received_samples: Audio of it that has arrived.
        complete: Its last piece has arrived.
        underruns: How often playback reached the end of what had arrived before the reply was complete.
        underrun_s: How long it was silent for want of audio, in all.
        silent_since: When it last fell silent by pause or flush; None while sounding or never started.
    """

    generation: int = 0
    received_samples: int = 0
    complete: bool = False
    underruns: int = 0
    underrun_s: float = 0.0
    silent_since: float | None = None
    started_at: float | None = None
    _anchor_s: float = 0.0  # at this time…
    _anchor_samples: int = 0  # …this sample was played
    _running: bool = False
    _starved: bool = False

    def receive(self, generation: int, pts_samples: int, samples: int, *, last: bool, now: float) -> None:
        """A piece of audio has arrived; a newer generation replaces the one that plays."""
        if generation > self.generation:
            self.generation, self.received_samples, self.complete = generation, 0, False
            self._anchor_s, self._anchor_samples = now, 0
            self._running, self._starved = True, False
            self.started_at, self.silent_since = now, None
        else:
            self.played(now)
        if generation == self.generation:
            self.received_samples = max(self.received_samples, pts_samples + samples)
            self.complete |= last
            if self._starved and self.received_samples > self._anchor_samples:
                self.underrun_s += now - self._anchor_s
                self._anchor_s, self._starved = now, False

    def played(self, now: float) -> int:
        """Samples of the current reply that were played by `now`."""
        if not self._running or self._starved:
            return self._anchor_samples
        position = self._anchor_samples + int((now - self._anchor_s) * SAMPLE_RATE_HZ)
        if position < self.received_samples:
            return position
        self._anchor_s += (self.received_samples - self._anchor_samples) / SAMPLE_RATE_HZ
        self._anchor_samples = self.received_samples
        if self.complete:
            self._running = False
        else:
            self._starved = True
            self.underruns += 1
        return self._anchor_samples

    def playing(self, now: float) -> bool:
        """Whether a reply is sounding (or starved in the middle) at `now`."""
        self.played(now)
        return self._running

    def pause(self, now: float) -> None:
        """Falls silent at once; keeps what is queued."""
        self._anchor_samples, self._anchor_s = self.played(now), now
        if self._running:
            self._running, self.silent_since = False, now

    def resume(self, now: float) -> None:
        """Goes on where it was paused."""
        if self.silent_since is not None and not self._running:
            self._running, self._anchor_s, self.silent_since = True, now, None

    def flush(self, generation: int, now: float) -> None:
        """Drops everything below `generation`."""
        if self.generation < generation:
            self.pause(now)
            self.generation, self.received_samples, self._anchor_samples = generation - 1, 0, 0
            self.complete, self._starved = True, False
