"""The loudspeaker without a sound card, on times passed in."""

from parley.client import Player

SECOND = 24_000


def playing(generation: int = 1) -> Player:
    player = Player()
    player.receive(generation, 0, SECOND, last=False, now=10.0)
    return player


def test_plays_in_real_time_and_ends_without_underrun() -> None:
    player = playing()
    player.receive(1, SECOND, SECOND, last=True, now=10.2)
    assert player.played(10.5) == SECOND // 2
    assert player.played(11.5) == SECOND * 3 // 2
    assert player.played(20.0) == 2 * SECOND
    assert not player.playing(20.0)
    assert player.underruns == 0


def test_starving_is_counted_and_stops_the_clock() -> None:
    player = playing()
    assert player.playing(11.5)
    assert player.underruns == 1
    player.receive(1, SECOND, SECOND, last=True, now=12.0)
    assert player.underrun_s == 1.0
    assert player.played(12.5) == SECOND * 3 // 2


def test_pause_keeps_the_place() -> None:
    player = playing()
    player.pause(10.25)
    assert player.silent_since == 10.25
    assert player.played(15.0) == SECOND // 4
    player.resume(15.0)
    assert player.silent_since is None
    assert player.played(15.25) == SECOND // 2


def test_flush_drops_the_reply_and_the_next_one_starts_at_zero() -> None:
    player = playing()
    player.flush(2, 10.5)
    assert not player.playing(10.6)
    assert player.silent_since == 10.5
    player.receive(2, 0, SECOND, last=False, now=11.0)
    assert player.generation == 2
    assert player.played(11.5) == SECOND // 2
    assert player.underruns == 0


def test_resume_after_a_flush_plays_nothing() -> None:
    player = playing()
    player.pause(10.2)
    player.flush(2, 10.3)
    player.resume(10.4)
    assert player.played(12.0) == 0
    assert player.underruns == 0


def test_late_audio_of_an_older_reply_is_ignored() -> None:
    player = playing(generation=3)
    player.receive(2, 0, 5 * SECOND, last=True, now=10.1)
    assert player.generation == 3
    assert player.received_samples == SECOND
    assert not player.complete
