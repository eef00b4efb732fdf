"""What Whisper says it heard but did not: in silence, in circles, or out of nothing.

Its own signs are those of Radford et al. 2022, section 4.5: the probability that nobody speaks, the mean log
probability of what it wrote, and how well the text compresses.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from parley.engines import Audio, HeardWord

RATE_HZ: Final = 16_000
NO_SPEECH: Final = 0.6
NO_SPEECH_LOGPROB: Final = -1.0
UNSURE_LOGPROB: Final = -1.5
TOO_REPETITIVE: Final = 2.4
# The decoder goes in circles: so many times the same words, one after the other, is not what people say.
_LAPS: Final = 4
_LONGEST_LAP: Final = 6
# A window is inaudible if no 20 ms of it reach this level, in dBFS.
_INAUDIBLE_DB: Final = -60.0
_BLOCK_SAMPLES: Final = RATE_HZ // 50
# Word times are good to about this much; a word that begins later after the last sound was made up.
_TOO_LATE_SAMPLES: Final = RATE_HZ * 2 // 5
_FRAME_SAMPLES: Final = RATE_HZ // 100
_PASS_FRAMES: Final = 3_000


def audible_end(audio: Audio) -> int:
    """Where the last sound ends in `audio`, float32 [n] at 16 kHz; 0: there is none."""
    blocks = len(audio) // _BLOCK_SAMPLES
    power = np.square(audio[: blocks * _BLOCK_SAMPLES]).reshape(blocks, _BLOCK_SAMPLES).mean(1)
    loud = np.flatnonzero(power > 10 ** (_INAUDIBLE_DB / 10))
    return (int(loud[-1]) + 1) * _BLOCK_SAMPLES if len(loud) else 0


def once(segments: Iterable[Any], samples: int) -> Iterator[Any]:
    """Segments of faster-whisper's, one a pass, up to the pass that reaches the end of the audio.

    Asked for word times it begins again after the last word, however little is left: that tail was heard
    already, is mostly silence, and a decoder that must say something makes words up for it.

    Args:
        segments: Decoded while they are read, so that what is not read costs nothing.
        samples: Length of the audio at 16 kHz.
    """
    for segment in segments:
        yield segment
        if (segment.seek + _PASS_FRAMES) * _FRAME_SAMPLES >= samples:
            return


def heard(segment: Any) -> bool:
    """Whether somebody spoke in a segment of faster-whisper's, and Whisper was not merely guessing."""
    silent = segment.no_speech_prob > NO_SPEECH and segment.avg_logprob < NO_SPEECH_LOGPROB
    return not silent and segment.avg_logprob >= UNSURE_LOGPROB


def unlooped(words: Sequence[HeardWord]) -> list[HeardWord]:
    """The words up to where they begin to go in circles, with one lap of the circle.

    Four laps or more of one to six words are a circle. What still compresses like one is dropped whole.
    """
    plain = [word.text.lower().strip(".,!?") for word in words]
    for start in range(len(words)):
        for lap in range(1, _LONGEST_LAP + 1):
            circle = plain[start : start + lap]
            if len(circle) == lap and plain[start : start + lap * _LAPS] == circle * _LAPS:
                return list(words[: start + lap])
    text = " ".join(plain).encode()
    ratio = len(text) / len(zlib.compress(text)) if text else 0.0
    return [] if ratio > TOO_REPETITIVE else list(words)


def sounded(words: Sequence[HeardWord], end: int) -> list[HeardWord]:
    """The words that begin while there is sound: Whisper pads its window with silence, and hears on there.

    Args:
        words: Times in the window's samples.
        end: Where the window's last sound ends, in samples at 16 kHz.
    """
    return [word for word in words if word.start < end + _TOO_LATE_SAMPLES]
