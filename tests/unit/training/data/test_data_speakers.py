"""Speakers: clustering of an unknown number, turns, and the figures about them."""

import wave

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import pytest

from parley.errors import BadRequest, ConfigError, EngineUnavailable
from training.data import encoders, evaluate, sound, speaker_encoder
from training.data.clustering import agglomerate, smooth
from training.data.stages import speakers
from training.data.stages.speakers import Voices
from training.data.stages.speech import filled, window_starts
from training.data.voices import Casting
from training.data.workspace import Workspace


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
    two = np.eye(2, dtype=np.float32)
    with pytest.raises(ConfigError, match="A, B"):
        speakers.choose(two, "Z", None, "")
    assert speakers.choose(two, "B", None, "") == 1
    assert speakers.choose(two, "", None, "") == 0
    assert speakers.label(25) == "Z" and speakers.label(26) == "S26"


def say(path, hz, seconds=3.0, rate=24_000):
    """A buzz with harmonics: two of them are two voices to the encoder."""
    t = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * hz * n * t) / n for n in range(1, 9)) * 3000
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(tone.astype("<i2").tobytes())


def test_a_voice_picked_by_ear_is_the_target_whatever_its_label_becomes(tmp_path):
    rows = []
    for name, hz in (("low", 110), ("high", 330), ("low2", 110)):
        audio = f"blobs/{name}.wav"
        say(tmp_path / audio, hz)
        item = {"id": name, "title": name, "audio": audio, "video": "", "scenes": [], "media_s": 3.0}
        spans = window_starts(3.0, 0.4)
        wav = sound.read(tmp_path / audio, 0, 3, 16_000)
        np.savez(
            tmp_path / "blobs" / f"{name}.npz",
            embeddings=speaker_encoder.load().windows(wav, spans),
            starts=spans,
            ends=spans + 1.6,
        )
        rows.append({**item, "speech": [[0, 3]], "voices": f"blobs/{name}.npz", "encoder": ""})
    config, work, casting = speakers.Config(same=0.9, sure=0.5), Workspace(tmp_path, "k"), Casting(tmp_path)

    def targets(speech):
        found = speakers.run({"speech": speech} | speakers.context(tmp_path, config), config, work)
        return {row["id"]: (row["target"], row["turns"][0][2]) for row in found}

    assert targets(rows) == {"low": ("A", "A"), "high": ("A", "B"), "low2": ("A", "A")}
    found = casting.found()
    assert [(each.label, each.recordings, len(each.pieces)) for each in found.voices] == [
        ("A", 2, 2),
        ("B", 1, 1),
    ]
    with pytest.raises(BadRequest, match="'C'"):
        casting.pick("C", "ann")
    assert casting.waiting() == ""
    casting.pick("B", "ann")
    assert casting.waiting() == "B"
    assert targets(rows)["high"] == ("B", "B")
    assert casting.waiting() == "" and casting.found().picked
    # With the low voice gone the same voice has another label, and is the target still.
    assert targets(rows[1:2]) == {"high": ("A", "A")}


def network(path, mels, size):
    """An ONNX graph of a hub model's kind: the loudest over time, projected."""
    weights = np.random.default_rng(0).normal(size=(mels, size)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("ReduceMax", ["feats"], ["loud"], axes=[1], keepdims=0),
            onnx.helper.make_node("MatMul", ["loud", "w"], ["embs"]),
        ],
        "speaker",
        [onnx.helper.make_tensor_value_info("feats", onnx.TensorProto.FLOAT, ["b", "t", mels])],
        [onnx.helper.make_tensor_value_info("embs", onnx.TensorProto.FLOAT, ["b", size])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


def test_a_hub_model_by_name_or_file_tells_voices_too(tmp_path, monkeypatch):
    path = network(tmp_path / "voice.onnx", 80, 192)
    asked = []

    def download(repository, file):
        asked.append((repository, file))
        return str(path)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    audio = np.random.default_rng(1).normal(0, 0.1, 48_000).astype(np.float32)
    by_name = encoders.load("someone/voices-lm/voice.onnx").windows(audio, np.array([0.0, 0.4, 1.4]))
    assert asked == [("someone/voices-lm", "voice.onnx")]
    assert by_name.shape == (3, 192)
    np.testing.assert_allclose(np.linalg.norm(by_name, axis=1), 1, atol=1e-5)
    by_file = encoders.load(str(path)).windows(audio, np.array([0.4]))
    np.testing.assert_allclose(by_file[0], by_name[1], atol=1e-5)


def test_a_speaker_model_that_cannot_be_had_says_what_to_do(tmp_path, monkeypatch):
    def offline(repository, file):
        raise OSError("no route to the hub")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    (tmp_path / "letter.onnx").write_text("not a graph")
    for name, told in (
        ("nobody/nothing", r"owner/repository/file\.onnx"),
        ("nobody/nothing/voice.onnx", "copy its file here"),
        (str(tmp_path / "letter.onnx"), "no ONNX model"),
    ):
        with pytest.raises(EngineUnavailable, match=told):
            encoders.load(name)


def test_filter_bank_energies_are_kaldis():
    # Of a ramp and a tone, by kaldi-native-fbank 1.23 (Hamming, no dither, 80 filters).
    t = np.arange(16_000) / 16_000
    found = encoders.fbank((0.1 * np.sin(2 * np.pi * 440 * t) + 0.05 * t).astype(np.float32), 80)
    assert found.shape == (98, 80)
    np.testing.assert_allclose(
        found[50, [0, 10, 13, 40, 79]], [8.414, 9.136, 21.184, 9.612, 8.987], atol=2e-3
    )


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
