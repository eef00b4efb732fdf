"""From the reader to subscriptions."""

from parley.chain.interface import Track
from parley.chain.keys import Fields, Id, decode_entry
from parley.chain.pieces import unix_ms
from parley.chain.subscription import Subscription
from parley.errors import ParleyError
from parley.telemetry.metrics import observe_hop


class EntrySink:
    """Decodes one output stream's entries into a subscription."""

    def __init__(
        self, track: Track, subscription: Subscription, *, high_water: int | None = None, timed: bool = False
    ) -> None:
        """Makes the sink.

        Args:
            track: Whose entries.
            subscription: Where they go.
            high_water: Entries that may wait there before reading pauses; None: reading never pauses.
            timed: Record how old each piece is when it arrives, as the hop `chain_{track}`.
        """
        self._track = track
        self._subscription = subscription
        self._high_water = high_water
        self._timed = timed

    def wants(self) -> bool:
        """Whether there is room."""
        return self._high_water is None or len(self._subscription.waiting) < self._high_water

    def take(self, identity: Id, fields: Fields) -> None:
        """Decodes and passes on."""
        entry = decode_entry(self._track, identity, fields)
        if self._timed and entry.piece is not None and entry.piece.created_unix_ms:
            age_ms = unix_ms() - entry.piece.created_unix_ms
            observe_hop(f"chain_{self._track}", max(age_ms, 0) / 1000)
        self._subscription.put(entry)

    def fail(self, error: ParleyError) -> None:
        """Passes on."""
        self._subscription.fail(error)
