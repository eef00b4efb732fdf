"""Speech for tests: a tone for each phone, with the phone times that a voice would give."""

import numpy as np

from parley.engines import Audio, TimedPhone
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ

HELLO = (
    "pau:.16 m:.08 aa:.14 p:.07 b:.05 iy:.12 f:.09 ow:.18 dh:.05 l:.07 uw:.15 "
    "s:.1 ay:.2 b:.06 ae:.14 m:.09 pau:.3"
)


def speech(told: str = HELLO) -> tuple[Audio, list[TimedPhone]]:
    """Audio float32 [n * 960] and its phones, from "symbol:seconds …"."""
    parts, phones, end = [], [], 0
    for number, entry in enumerate(told.split()):
        symbol, seconds = entry.split(":")
        count = round(float(seconds) * SAMPLE_RATE_HZ)
        level = 0.0 if symbol == "pau" else 0.05 if symbol in "pbmfs" else 0.3
        t = np.arange(count) / SAMPLE_RATE_HZ
        parts.append(level * np.sin(2 * np.pi * (150 + 130 * number) * t) * np.sin(2 * np.pi * 110 * t))
        end += count
        phones.append(TimedPhone(symbol, end))
    audio = np.concatenate(parts).astype(np.float32)
    return np.pad(audio, (0, -len(audio) % FRAME_SAMPLES)), phones
