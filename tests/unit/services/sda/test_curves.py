"""Phones to mouths."""

import numpy as np

from parley.engines import TimedPhone
from parley.media.clock import FRAME_SAMPLES
from services.sda.face.controls import PHONES, VISEMES, Control
from services.sda.face.curves import LONGEST_PHONE, LOOKAHEAD, PhoneTrack
from tests.unit.services.sda.speech import speech


def curves(phones, count):
    track = PhoneTrack()
    track.add(phones)
    return np.stack([track.mouth(i) for i in range(count)])


def frame_of(phones, number):
    """The frame whose instant is nearest to the middle of a phone."""
    start = phones[number - 1].end if number else 0
    return round((start + phones[number].end) / 2 / FRAME_SAMPLES)


def test_every_phone_has_a_viseme():
    assert {name for names in PHONES.values() for name in names} <= set(VISEMES)


def test_lips_meet_on_every_p_b_and_m_however_short():
    audio, phones = speech()
    mouths = curves(phones, len(audio) // FRAME_SAMPLES)
    for number, phone in enumerate(phones):
        if phone.symbol in "pbm":
            assert mouths[frame_of(phones, number), Control.OPEN] <= -0.75, phone


def test_vowels_open_and_shape_the_lips():
    audio, phones = speech("pau:.2 aa:.2 pau:.2 uw:.2 pau:.2 iy:.2 pau:.2 f:.14 pau:.2")
    mouths = curves(phones, len(audio) // FRAME_SAMPLES)
    at = {p.symbol: mouths[frame_of(phones, n)] for n, p in enumerate(phones)}
    assert at["aa"][Control.OPEN] > 0.6
    assert at["uw"][Control.WIDTH] < -0.6 and at["uw"][Control.OPEN] < 0.3
    assert at["iy"][Control.WIDTH] > 0.4
    assert at["f"][Control.TUCK] > 0.6
    assert abs(at["pau"][Control.OPEN]) < 0.15


def test_curves_move_smoothly():
    audio, phones = speech("pau:.2 ah:.12 l:.1 ow:.2 r:.1 eh:.12 d:.07 ay:.2 pau:.2")
    mouths = curves(phones, len(audio) // FRAME_SAMPLES)
    assert np.abs(np.diff(mouths[:, [Control.OPEN, Control.WIDTH]], axis=0)).max() < 0.55


def test_a_mouth_does_not_depend_on_what_comes_after_the_look_ahead():
    audio, phones = speech()
    count = len(audio) // FRAME_SAMPLES
    whole = curves(phones, count)
    for frame in range(count):
        horizon = (frame + 1) * FRAME_SAMPLES + LOOKAHEAD
        track = PhoneTrack()
        known = [p for i, p in enumerate(phones) if i == 0 or phones[i - 1].end < horizon]
        track.add(known)
        assert np.array_equal(track.mouth(frame), whole[frame]), frame


def test_an_endless_phone_does_not_hold_the_face_up():
    track = PhoneTrack()
    track.add([TimedPhone("pau", 2400)])
    assert not track.knows(0, LOOKAHEAD + FRAME_SAMPLES)
    assert track.knows(0, LOOKAHEAD + FRAME_SAMPLES + LONGEST_PHONE)


def test_an_unknown_phone_opens_the_mouth_a_little():
    mouths = curves([TimedPhone("pau", 2400), TimedPhone("??", 7200), TimedPhone("pau", 12000)], 12)
    assert mouths[5, Control.OPEN] > 0.25
