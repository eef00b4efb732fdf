"""How much of a reply's text was heard, from how much of its audio was."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from parley.media.clock import SAMPLE_RATE_HZ

_SAMPLES_PER_CHARACTER = SAMPLE_RATE_HZ / 15
"""Ordinary English speech: about 15 characters a second."""


def heard_text(
    text: str, starts: Sequence[tuple[int, int]], *, played_samples: int, end_samples: int | None
) -> str:
    """The words of `text` that were heard, cut at a word's end.

    Within a clause, time is taken to pass evenly over its characters. A word counts once half of it was
    heard.

    Args:
        text: All of the reply's text.
        starts: (character where a clause begins, media-clock sample where its speech begins), growing.
        played_samples: How much was played.
        end_samples: Where the reply's audio ends; None: not known yet, so ordinary pace is assumed.
    """
    if not text or not starts or played_samples <= 0:
        return ""
    last_character, last_sample = starts[-1]
    if end_samples is None:
        end_samples = last_sample + round((len(text) - last_character) * _SAMPLES_PER_CHARACTER)
    anchors = [*starts, (len(text), max(end_samples, last_sample + 1))]
    if played_samples >= anchors[-1][1]:
        return text.rstrip()
    index = bisect_right([sample for _, sample in anchors], played_samples)
    if index == 0:
        return ""
    (char_a, sample_a), (char_b, sample_b) = list(pairwise(anchors))[index - 1]
    position = char_a + (char_b - char_a) * (played_samples - sample_a) / (sample_b - sample_a)
    end = 0
    for word in re.finditer(r"\S+", text):
        if (word.start() + word.end()) / 2 > position:
            break
        end = word.end()
    return text[:end]
