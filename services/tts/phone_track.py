"""The phones of a reply on its media clock."""

from collections import deque

from parley.engines import TimedPhone
from proto.parley.v1 import chain_pb2 as pb
from services.tts.engines.phones import SILENCE


class PhoneTrack:
    """Phones whose ends grow, one after the other, without gap."""

    def __init__(self) -> None:
        self._placed: deque[TimedPhone] = deque()
        self._end = 0

    def place(self, waiting: "deque[TimedPhone]", shift: int, made: int, *, final: bool = False) -> None:
        """Moves phones of a stretch to the clock, as far as their samples are there.

        Args:
            waiting: Phones with ends in samples from the stretch's first; those placed are removed.
            shift: From there to the media clock.
            made: Where the reply's samples end for now.
            final: The stretch is over: phones that end in what was trimmed off end here.
        """
        while waiting and (final or waiting[0].end + shift <= made):
            phone = waiting.popleft()
            self._add(phone.symbol, min(phone.end + shift, made))

    def hush(self, made: int) -> None:
        """Silence lasts until `made`; it continues a silence that was not taken yet."""
        if self._placed and self._placed[-1].symbol == SILENCE:
            self._placed[-1] = TimedPhone(SILENCE, made)
            self._end = made
        else:
            self._add(SILENCE, made)

    def take(self, until: int) -> list[pb.Phone]:
        """Removes and returns the phones that end at `until` or before."""
        taken: list[pb.Phone] = []
        while self._placed and self._placed[0].end <= until:
            phone = self._placed.popleft()
            taken.append(pb.Phone(symbol=phone.symbol, end_samples=phone.end))
        return taken

    def _add(self, symbol: str, end: int) -> None:
        if end > self._end:
            self._placed.append(TimedPhone(symbol, end))
            self._end = end
