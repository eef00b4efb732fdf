"""Speakers: clustering of an unknown number, turns, and the figures about them."""

import numpy as np
import pytest

from parley.errors import ConfigError
from training.data import evaluate, speaker_encoder
from training.data.clustering import agglomerate, smooth
from training.data.stages import speakers
from training.data.stages.speakers import Voices
from training.data.stages.speech import filled, window_starts


def people(random, count, size=256):
    """Random directions, far apart, in the positive orthant as embeddings are."""
    found = np.abs(random.normal(size=(count, size))) * (random.random((count, size)) < 0.15)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def says(random, person, windows, spread=0.02):
    noisy = np.maximum(person + random.normal(0, spread, (windows, len(person))), 0)
    return (noisy / np.linalg.norm(noisy, axis=1, keepdims=True)).astype(np.float32)


def test_average_linkage_agrees_with_its_definition():
    random = np.random.default_rng(3)
    vectors = np.concatenate([says(random, person, 6, 0.05) for person in people(random, 4)])
    labels = agglomerate(vectors, np.ones(len(vectors)), 0.6)
    clusters = [{n} for n in range(len(vectors))]
    cosine = vectors.astype(np.float64) @ vectors.T
    while True:
        pairs = [
            (np.mean([cosine[i, j] for i in a for j in b]), x, y)
            for x, a in enumerate(clusters)
            for y, b in enumerate(clusters)
            if x < y
        ]
        value, x, y = max(pairs)
        if value < 0.6:
            break
        clusters[x] |= clusters.pop(y)
    assert {frozenset(np.flatnonzero(labels == each).tolist()) for each in set(labels.tolist())} == set(
        map(frozenset, clusters)
    )


def test_the_number_of_speakers_comes_out_and_the_greatest_is_first():
    random = np.random.default_rng(1)
    six = people(random, 6)
    vectors = np.concatenate([says(random, six[who], 10 + 5 * who) for who in range(6)])
    labels = agglomerate(vectors, np.ones(len(vectors)), 0.68)
    assert sorted(np.bincount(labels).tolist(), reverse=True) == np.bincount(labels).tolist()
    assert np.bincount(labels).tolist() == [35, 30, 25, 20, 15, 10]


def test_nothing_clusters_to_nothing():
    assert len(agglomerate(np.zeros((0, 4), np.float32), np.zeros(0), 0.5)) == 0


def test_a_change_costs():
    similarity = np.array([[0.9, 0.5], [0.6, 0.7], [0.9, 0.5], [0.4, 0.9], [0.4, 0.9]], np.float32)
    assert smooth(similarity, 0.25).tolist() == [0, 0, 0, 1, 1]
    assert smooth(similarity, 0.0).tolist() == [0, 1, 0, 1, 1]


def recording(random, plan):
    """Windows of 1.6 s every 0.4 s; one person (or a mixture) for each entry of the plan."""
    embeddings = np.concatenate([says(random, person, windows) for person, windows in plan])
    starts = np.arange(len(embeddings)) * 0.4
    return Voices(embeddings, starts, starts + 1.6)


def test_speakers_are_the_same_across_recordings_and_overlap_is_nobodys():
    random = np.random.default_rng(2)
    ann, bob, eve = people(random, 3)
    both = (ann + bob) / np.linalg.norm(ann + bob)
    one = recording(random, [(ann, 20), (bob, 8), (both, 5), (bob, 8)])
    two = recording(random, [(eve, 9), (ann, 12)])
    config = speakers.Config()
    found = speakers.find_speakers([one, two], config)
    main = found[: int((found @ ann).argmax()) + 1]
    assert int((found @ ann).argmax()) == 0 and len(main) == 1
    first = speakers.assign(one, found, config)
    assert first[0][2] == 0 and first[0][0] == 0.0 and first[0][1] == pytest.approx(20 * 0.4 + 0.6, abs=0.5)
    labels = [who for *_, who in speakers.assign(two, found, config)]
    assert labels[-1] == 0 and labels[0] not in (0, -1)


def test_pauses_part_windows_into_stretches():
    voices = Voices(np.ones((3, 4), np.float32), np.array([0.0, 0.4, 5.0]), np.array([1.6, 2.0, 6.0]))
    turns = speakers.assign(voices, np.ones((1, 4), np.float32) / 4, speakers.Config(sure=0.0, margin=-9))
    assert [(a, b) for a, b, _ in turns] == [(0.0, 2.0), (5.0, 6.0)]


def test_a_target_that_nobody_is_names_the_choice():
    with pytest.raises(ConfigError, match="A, B"):
        speakers._target(np.eye(2, dtype=np.float32), speakers.Config(target="Z"))
    assert speakers._target(np.eye(2, dtype=np.float32), speakers.Config(target="B")) == 1
    assert speakers.label(25) == "Z" and speakers.label(26) == "S26"


def test_windows_cover_a_stretch_to_its_end_and_short_ones_fill_up():
    assert window_starts(1.0, 0.4).tolist() == [0.0]
    starts = window_starts(3.0, 0.4)
    assert starts[0] == 0 and starts[-1] == pytest.approx(1.4) and np.all(np.diff(starts) <= 0.4 + 1e-9)
    assert len(filled(np.ones(100, np.float32))) == 25_600
    assert len(filled(np.ones(30_000, np.float32))) == 30_000


def test_embeddings_are_unit_vectors_that_do_not_depend_on_the_batch():
    random = np.random.default_rng(5)
    encoder = speaker_encoder.load()
    mels = random.random((3, 160, 40)).astype(np.float32)
    together = encoder.embed(mels)
    assert together.shape == (3, 256) and together.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(encoder.embed(mels[1:2])[0], together[1], atol=1e-5)


def test_the_mel_filters_put_a_tone_where_it_belongs():
    t = np.arange(16_000) / 16_000
    low, high = (speaker_encoder.mel(np.sin(2 * np.pi * hz * t).astype(np.float32)) for hz in (300, 3000))
    assert low.shape == (101, 40)
    assert low[50].argmax() < 8 < 20 < high[50].argmax()


def test_diarisation_figures():
    truth = {
        "target": "ann",
        "recordings": {
            "talk.wav": {
                "turns": [
                    {"speaker": "ann", "voiced": [[0, 10]]},
                    {"speaker": "bob", "voiced": [[10, 20]]},
                    {"speaker": "bob", "voiced": [[28, 32]]},
                    {"speaker": "ann", "voiced": [[30, 40]]},
                ]
            }
        },
    }
    row = {"id": "x", "media_s": 40.0, "target": "A", "turns": [[0, 10, "A"], [10, 18, "B"], [32, 40, "A"]]}
    perfect = evaluate.evaluate(
        [row | {"turns": [[0, 10, "A"], [10, 20, "B"], [28, 30, "B"], [32, 40, "A"]]}],
        truth,
        {"x": "talk.wav"},
    )
    assert perfect["diarisation_error"] == 0 and perfect["target_purity"] == 1 == perfect["target_coverage"]
    found = evaluate.evaluate([row], truth, {"x": "talk.wav"})
    assert found["missed"] > 0 and found["confusion"] == 0 and found["speakers"] == 2
    swapped = evaluate.evaluate([row | {"turns": [[0, 20, "A"], [32, 40, "A"]]}], truth, {"x": "talk.wav"})
    assert swapped["confusion"] > 0.3 and swapped["target_purity"] == pytest.approx(18 / 28, abs=0.01)
