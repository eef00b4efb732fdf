"""The synthetic corpus: who is in it, what is held out, and that sound and mouth agree to the sample."""

from pathlib import Path

import numpy as np
import pytest

from parley.media.clock import FRAME_SAMPLES
from services.sda.face.controls import PHONES, Control
from training.data.synthetic_faces import espeak, identities, performance, plan, sentences, voices
from training.data.synthetic_faces.parameters import IDENTITIES


def by_flite(count: int) -> list[plan.Clip]:
    """The first clips in a voice of flite, which says a thing always the same way; espeak-ng's waver."""
    return [c for c in map(plan.clip, range(60)) if c.voice.startswith("flite") and c.split == "train"][
        :count
    ]


def test_a_seed_is_always_the_same_person_and_seeds_differ():
    assert identities.identity(5) == identities.identity(5) != identities.identity(6)
    people = [identities.identity(seed) for seed in range(200)]
    assert len({p.numbers["hairStyle"] for p in people}) == 6
    assert 0.05 < np.mean([p.numbers["beard"] > 0 for p in people]) < 0.4
    assert 0.05 < np.mean([p.numbers["glasses"] > 0 for p in people]) < 0.4
    tones = [sum(p.colours["skinColour"]) for p in people]
    assert min(tones) < 0.9 and max(tones) > 2.2
    assert all(0 <= c <= 1 for p in people for colour in p.colours.values() for c in colour)


def test_avatars_and_seeds_are_known_by_name():
    assert identities.named("mira") is IDENTITIES["mira"]
    assert identities.named("seed-17") == identities.identity(17)
    with pytest.raises(KeyError):
        identities.named("nobody")


def test_nothing_held_out_is_trained_on():
    kept = plan.held_out()
    clips = [plan.clip(n) for n in range(1200)]
    train = [c for c in clips if c.split == "train"]
    test = [c for c in clips if c.split == "test"]
    assert len(test) == 100
    assert not {c.voice for c in train} & set(kept.voices) and {c.voice for c in test} <= set(kept.voices)
    assert not {c.text for c in train} & set(kept.sentences) and {c.text for c in test} <= set(kept.sentences)
    seeds = [{int(c.identity[5:]) for c in part if c.identity.startswith("seed-")} for part in (train, test)]
    assert max(seeds[0]) < kept.identities.first <= min(seeds[1]) and max(seeds[1]) <= kept.identities.last
    assert set(kept.voices) <= set(voices.VOICES)


def test_a_clip_number_always_means_the_same_clip():
    assert plan.clip(123) == plan.clip(123)
    a, b = (plan.clip(123).random(1).random() for _ in range(2))
    assert a == b != plan.clip(123).random(2).random()


def test_the_grammar_makes_plain_sentences():
    random = np.random.default_rng(1)
    said = {sentences.drawn(random) for _ in range(500)}
    assert len(said) > 480
    assert all(s[0].isupper() and s[-1] in ".?" and "{" not in s for s in said)


def test_espeak_phones_are_those_that_the_mouth_knows():
    assert espeak.arpabet("tʃˈiːz") == ["ch", "iy", "z"]
    assert espeak.arpabet("oʊ") == ["ow"] and espeak.arpabet("ˈɜː") == ["er"] and espeak.arpabet("") == []
    assert set(espeak._IPA_TO_ARPABET.values()) <= set(PHONES)


def test_sound_and_face_have_the_same_length_and_lips_close_when_they_must():
    closed = total = 0
    for clip in by_flite(5):
        take = performance.perform(clip)
        assert len(take.audio) == FRAME_SAMPLES * len(take.parameters)
        assert take.phones[-1].end == len(take.audio)
        ends = [p.end for p in take.phones]
        assert ends == sorted(ends)
        start = 0
        for phone in take.phones:
            if phone.symbol in ("p", "b", "m"):
                total += 1
                middle = round((start + phone.end) / 2 / FRAME_SAMPLES)
                closed += take.parameters[middle, Control.OPEN] < -0.4
            start = phone.end
        energy = (take.audio.reshape(-1, FRAME_SAMPLES) ** 2).mean(1) ** 0.5
        opened = np.maximum(take.parameters[:, Control.OPEN], 0)
        lags = [np.corrcoef(np.roll(opened, -lag)[8:-8], energy[8:-8])[0, 1] for lag in range(-6, 7)]
        assert abs(int(np.argmax(lags)) - 6) <= 3
    assert total >= 10 and closed == total


def test_a_performance_is_the_same_every_time():
    (clip,) = by_flite(1)
    a, b = (performance.perform(clip) for _ in range(2))
    np.testing.assert_array_equal(a.audio, b.audio)
    np.testing.assert_array_equal(a.parameters, b.parameters)


def test_rendering_goes_on_where_it_stopped(tmp_path: Path):
    from training.data.synthetic_faces import render_clips

    frames = render_clips.render_clip(1, tmp_path, 32, 1)
    assert render_clips.finished(tmp_path) == {1: frames}
    (tmp_path / "000004.mp4").write_bytes(b"half a clip")  # no JSON: it does not count
    assert render_clips.finished(tmp_path) == {1: frames}
    before = (tmp_path / "000001.mp4").stat().st_mtime_ns
    render_clips.render(frames / 1500, tmp_path, 32, 1, 1, "1/3")
    assert (tmp_path / "000001.mp4").stat().st_mtime_ns == before and len(
        render_clips.finished(tmp_path)
    ) == 1
