"""The inaudible mark: found after what happens to recordings, never where it is not, no sample moved."""

import math

import numpy as np
import pytest

from parley.bench.attacks import ATTACKS
from parley.media.audio import resample
from parley.provenance import code
from parley.provenance.watermark import FALSE_POSITIVES, Marker, detect, mark, threshold

PAYLOAD = 0xA5C3


def test_every_payload_survives_wrong_bits():
    draw = np.random.default_rng(0)
    for payload in (0, 1, 0x8000, PAYLOAD, 0xFFFF):
        sent = code.encode(payload).astype(np.float64)
        for word in (sent[:24], sent[24:]):
            word[draw.choice(24, 3, replace=False)] *= -1
        assert code.decode(sent)[0] == payload
    with pytest.raises(ValueError, match="16 bits"):
        code.encode(1 << 16)


def test_any_two_words_of_the_code_differ_in_eight_places():
    words = code.codebook().astype(np.int64)
    agreement = words[1:] @ words[0]
    assert ((24 - agreement) // 2).min() == 8


def test_the_checksum_tells_neighbours_apart():
    sums = {code.crc8(1 << bit) for bit in range(16)}
    assert len(sums) == 16
    assert 0 not in sums


def test_a_mark_is_found_and_nothing_is_found_where_there_is_none(speech):
    found = detect(mark(speech, PAYLOAD))
    assert found.payload == PAYLOAD
    assert found.bound < FALSE_POSITIVES
    nothing = detect(speech)
    assert nothing.payload is None
    assert nothing.score < threshold()
    assert detect(mark(speech, PAYLOAD, "secret")).payload is None
    assert detect(mark(speech, PAYLOAD, "secret"), "secret").payload == PAYLOAD


def test_the_bound_is_that_of_hoeffding():
    tried = 8 * 64 * 65_536
    assert tried * math.exp(-(threshold(1e-3) ** 2) / 2) == pytest.approx(1e-3)


@pytest.mark.parametrize(
    "name", ["AAC 64 kbit/s", "Opus 24 kbit/s", "MP3 48 kbit/s", "at 16 kHz", "noise at 30 dB", "cut to 3 s"]
)
def test_it_survives(speech, name: str):
    assert detect(ATTACKS[name](mark(speech, PAYLOAD))).payload == PAYLOAD


def test_gain_does_not_matter(speech):
    assert detect(mark(speech, PAYLOAD) * np.float32(0.1)).payload == PAYLOAD


def test_a_stream_in_any_pieces_is_marked_like_the_whole(speech):
    marker, whole = Marker(PAYLOAD), mark(speech, PAYLOAD)
    pieces, at = [], 0
    for size in (1, 1919, 4800, 960, 7, 100_000, 10**7):
        pieces.append(marker.push(speech[at : at + size]))
        assert len(pieces[-1]) == len(speech[at : at + size])
        at += size
    assert np.allclose(np.concatenate(pieces), whole, atol=1e-6)


def test_it_looks_back_only_and_leaves_silence_silent(speech):
    cut = 40_000
    until = speech.copy()
    until[cut:] = 0
    assert np.array_equal(mark(until, PAYLOAD)[:cut], mark(speech, PAYLOAD)[:cut])
    assert not mark(np.zeros(5000, np.float32), PAYLOAD).any()
    assert len(mark(speech[:0], PAYLOAD)) == 0


def test_it_is_far_below_the_speech(speech):
    added = mark(speech, PAYLOAD) - speech
    ratio_db = 10 * np.log10((speech**2).sum() / (added**2).sum())
    assert ratio_db > 18


@pytest.mark.parametrize("clip", [np.zeros(0), np.zeros(48_000), np.full(48_000, 0.5), np.ones(100)])
def test_what_is_no_speech_has_no_mark(clip):
    assert detect(clip.astype(np.float32)).payload is None


def test_a_short_cut_of_an_answer_is_enough(speech):
    marked = mark(speech, PAYLOAD)
    assert detect(marked[30_011 : 30_011 + 48_000]).payload == PAYLOAD
    assert detect(resample(marked, 24_000, 24_024)).payload == PAYLOAD  # a clock 0.1 % off
