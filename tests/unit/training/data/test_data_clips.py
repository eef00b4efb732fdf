"""Cutting, forced timing, corrections, splits, bubble-up: what the later stages decide."""

import wave

import numpy as np
import pytest

from parley.errors import ConfigError
from training.data import ears, occlusion, warp
from training.data.clips import Change, Clip
from training.data.forced import AlignedWord, Alignment
from training.data.stages import STAGES, align, corrected, cut, face, handover, review
from training.data.store import Corpus, Review
from training.data.subject import load_subject
from training.data.workspace import Rejected, Workspace

CUT = cut.Config()


def row(turns, target="A", total=100.0):
    return {
        "id": "rec",
        "title": "t",
        "audio": "a.wav",
        "video": "",
        "scenes": [],
        "media_s": total,
        "turns": turns,
        "target": target,
    }


def test_clips_are_joined_over_pauses_and_keep_within_their_limits(tmp_path):
    turns = [[1.0, 3.0, "A"], [3.5, 6.0, "A"], [6.4, 12.0, "A"], [20.0, 22.0, "A"], [30.0, 61.0, "A"]]
    hum = np.full(70 * 16_000, 3000, "<i2")
    for at_s in (40.9, 50.2):  # between words, though the voice detector saw no pause
        hum[round((at_s - 0.05) * 16_000) : round((at_s + 0.05) * 16_000)] = 10
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(hum.tobytes())
    clips = cut.run(row(turns), CUT, Workspace(tmp_path, "k"))
    times = [(clip["start_s"], clip["end_s"]) for clip in clips]
    assert times[0] == (0.85, 12.15)
    assert len(times) == 4 and all(3 <= end - start <= 15.3 for start, end in times)
    assert times[1][0] == 29.85 and times[-1][1] == 61.15
    assert times[1][1] == pytest.approx(40.9, abs=0.03) and times[2][1] == pytest.approx(50.2, abs=0.03)


def test_a_stretch_without_any_pause_is_cut_within_the_limit_wherever_it_is_quietest():
    for quiet in (min, max):
        found = list(cut.parts(0.0, 44.0, 15.0, quiet))
        assert found[0][0] == 0 and found[-1][1] == 44 and len(found) == 3
        assert all(a < b <= a + 15 for a, b in found)
        assert [b for _, b in found[:-1]] == [a for a, _ in found[1:]]


def test_a_clip_never_holds_another_speaker(tmp_path):
    turns = [[1.0, 4.2, "A"], [4.3, 4.6, "B"], [4.7, 8.0, "A"]]
    clips = cut.run(row(turns), CUT, Workspace(tmp_path, "k"))
    times = [(clip["start_s"], clip["end_s"]) for clip in clips]
    assert times == [(0.85, 4.25), (4.65, 8.15)]


def test_ids_of_clips_depend_on_the_cut_only(tmp_path):
    once, again = (
        cut.run(row([[1.0, 5.0, "A"]]) | {"title": t}, CUT, Workspace(tmp_path, "k")) for t in "xy"
    )
    assert once[0]["id"] == again[0]["id"]


@pytest.mark.parametrize(
    ("turns", "reason"),
    [([[0.0, 9.0, "B"]], "the target does not speak"), ([[0.0, 2.0, "A"]], "no stretch of the target")],
)
def test_recordings_without_clips_say_why(tmp_path, turns, reason):
    with pytest.raises(Rejected, match=reason):
        cut.run(row(turns), CUT, Workspace(tmp_path, "k"))


def test_disagreement_is_a_character_error_rate():
    assert ears.disagreement("the same", "The same") == 0
    assert ears.disagreement("abcd", "abxd") == 0.25
    assert ears.disagreement("", "") == 0 and ears.disagreement("abc", "") == 1
    assert ears.edit_distance("kitten sat".split(), "sitting sat".split()) == 1


def spoken(*words):
    """Words of two phones each: (start, end)."""
    return Alignment(
        tuple(
            AlignedWord(f"w{n}", a, b, (("AA", a, (a + b) / 2), ("B", (a + b) / 2, b)))
            for n, (a, b) in enumerate(words)
        ),
        -14.0,
    )


def test_a_warp_moves_sounds_to_their_times_and_keeps_their_pitch():
    rate = 24_000
    t = np.arange(2 * rate) / rate
    tone = np.where((t > 0.5) & (t < 1.0), np.sin(2 * np.pi * 440 * t), 0) * 0.5
    tone += np.where((t > 1.4) & (t < 1.6), np.sin(2 * np.pi * 220 * t), 0) * 0.5
    theirs, ours = spoken((0.2, 1.0), (1.5, 2.5)), spoken((0.5, 1.0), (1.4, 1.6))
    to_s, from_s = warp.anchors(theirs, ours, 3.0, 2.0)
    assert to_s[0] == from_s[0] == 0 and to_s[-1] == 3.0 and from_s[-1] == 2.0
    assert np.all(np.diff(to_s) > 0) and np.all(np.diff(from_s) > 0)
    moved = warp.warp(tone.astype(np.float32), rate, to_s, from_s)
    assert len(moved) == 3 * rate
    assert (
        np.abs(moved[: int(0.15 * rate)]).max() < 0.05
        and np.abs(moved[int(1.1 * rate) : int(1.4 * rate)]).max() < 0.05
    )
    for start, end, hz in ((0.3, 0.9, 440), (1.7, 2.3, 220)):
        part = moved[int(start * rate) : int(end * rate)]
        loudest = np.abs(np.fft.rfft(part * np.hanning(len(part)))).argmax() * rate / len(part)
        assert loudest == pytest.approx(hz, rel=0.02)
        assert np.sqrt(np.mean(np.square(part))) == pytest.approx(0.354, rel=0.15)


def test_how_much_is_warped_too_far():
    assert warp.stretch(spoken((0, 1), (1, 2)), spoken((0, 1), (1, 2))) == 0
    assert warp.stretch(spoken((0, 1), (1, 4)), spoken((0, 1), (1, 2))) == pytest.approx(0.75)


def heard(name, text="some words here", disagreement=0.0, source="s", confidence=0.9, second=None):
    hypotheses = [{"engine": "e", "text": text, "confidence": confidence, "words": []}]
    if second is not None:
        hypotheses.append({"engine": "f", "text": second, "confidence": 0.5, "words": []})
    return {
        "id": name,
        "source": source,
        "title": "t",
        "audio": "a.wav",
        "video": "",
        "scenes": [],
        "start_s": 0.0,
        "end_s": 4.0,
        "media_s": 4.0,
        "hypotheses": hypotheses,
        "disagreement": disagreement,
    }


def accept(root, name, text="right words", state="accepted"):
    review_ = Review(Corpus(root))
    version = review_.get(name).version
    change = Change(clip=name, expected=version, state=state, text=text, start_s=0.5, end_s=3.5)
    review_.submit([change], by="ann")


def bubble(root, clips, config, **more):
    nothing = {name: [] for name in review.AFTER}
    item = {**nothing, "transcribe": clips, **more}
    return review.run(item | review.context(root, config), config, Workspace(root, "k"))[0]


def test_only_accepted_or_trusted_clips_count(tmp_path):
    clips = [
        heard("a", second="some words hear"),
        heard("b", second="sum birds here"),
        heard("c", second="what a person"),
        heard("d", second="some words here"),
        heard("e", second="some words here"),
        heard("alone"),  # with no second opinion nothing confirms it
    ]
    bubble(tmp_path, clips, review.Config())
    accept(tmp_path, "c", "what a person heard")
    accept(tmp_path, "d", state="rejected")
    accept(tmp_path, "e", text=" ")
    config = corrected.Config(trust_below=0.2)
    item = {"transcribe": clips, "rehear": []} | corrected.context(tmp_path, config)
    rows = {each["id"]: each for each in corrected.run(item, config, Workspace(tmp_path, "k"))}
    assert set(rows) == {"a", "c"}
    assert rows["c"]["text"] == "what a person heard" and rows["c"]["by"] == "people"
    assert (rows["c"]["start_s"], rows["c"]["end_s"], rows["c"]["media_s"]) == (0.5, 3.5, 3.0)
    assert rows["a"]["by"] == "engines"
    strict = corrected.run(item, corrected.Config(), Workspace(tmp_path, "k"))
    assert [each["id"] for each in strict] == ["c"]


def test_untouched_clips_count_with_what_the_tuned_recogniser_hears(tmp_path):
    clips = [heard("a", "sum words hear", second="some birds here"), heard("b", "some", second="sum")]
    tuned = {"engine": "tuned/whisper", "text": "some words here", "confidence": 0.9, "words": []}
    item = {"transcribe": clips, "rehear": [{"id": "a", "hypothesis": tuned}], "edits": 0, "lexicon": {}}
    rows = corrected.run(item, corrected.Config(trust_below=0.2), Workspace(tmp_path, "k"))
    assert [(each["id"], each["text"]) for each in rows] == [("a", "some words here")]


def test_taught_words_go_with_the_texts_that_they_are_in_and_make_only_these_new(tmp_path):
    clips = [heard("a"), heard("b")]
    bubble(tmp_path, clips, review.Config())
    accept(tmp_path, "a", "Parley's face speaks.")
    accept(tmp_path, "b", "A parleying crowd.")
    config, work = corrected.Config(), Workspace(tmp_path, "k")

    def rows():
        item = {"transcribe": clips, "rehear": []} | corrected.context(tmp_path, config)
        return {each["id"]: each for each in corrected.run(item, config, work)}

    before = rows()
    Corpus(tmp_path).teach("Parley", "P AA R L IY", "ann")
    after = rows()
    assert after["a"]["taught"] == {"Parley": "P AA R L IY"}
    assert after["b"] == before["b"] and after["b"]["taught"] == {}


def test_every_sign_of_a_bad_clip_raises_its_doubt(tmp_path):
    names = ["fine", "voice", "text", "lips", "tuned", "unsaid"]
    clips = [heard(name, confidence=1.0) for name in names]
    well = {"cer": 0.0, "alignment": -13.0}
    bubble(
        tmp_path,
        clips,
        review.Config(),
        corrected=[{"id": name, "weight": 1.0} for name in names],
        synthesize=[
            {"id": "fine", **well},
            {"id": "voice", "cer": 0.4, "alignment": -13.0},
            {"id": "text", "cer": 0.0, "alignment": -16.5},
            {"id": "lips", **well},
            {"id": "tuned", **well},
        ],
        face=[{"id": "fine", "lip_error": 0.0}, {"id": "lips", "lip_error": 0.022}],
        rehear=[{"id": "tuned", "disagreement": 0.3, "hypothesis": clips[0]["hypotheses"][0]}],
    )
    queue = [(each.clip.id, each.clip.doubt) for each in Review(Corpus(tmp_path)).queue()]
    assert queue == [
        ("unsaid", 1.0),
        ("lips", 0.6),
        ("text", 0.5),
        ("voice", 0.4),
        ("tuned", 0.3),
        ("fine", 0.0),
    ]
    assert Review(Corpus(tmp_path)).get("text").clip.scores["misaligned"] == 0.5


def test_the_worst_accepted_clip_goes_back_once_and_weighs_more_when_fixed(tmp_path):
    # That the engines disagreed about a clip is no reason to doubt what a person made of it: `d` stays.
    clips = [heard("a"), heard("b"), heard("c", disagreement=0.8), heard("d", disagreement=0.9)]
    said = [
        {"id": name, "cer": cer, "alignment": -13.0} for name, cer in (("a", 0.9), ("b", 0.5), ("d", 0.1))
    ]
    config = review.Config(worst=1)
    assert bubble(tmp_path, clips, config, synthesize=said)["sent_back"] == 0
    for name in "abd":
        accept(tmp_path, name)
    assert bubble(tmp_path, clips, config, synthesize=said)["sent_back"] == 1
    # Nobody has reviewed since: running again opens no more, and says the same.
    assert bubble(tmp_path, clips, config, synthesize=said)["sent_back"] == 1
    assert Review(Corpus(tmp_path)).get("b").state == "accepted"
    sent = Review(Corpus(tmp_path)).get("a")
    assert (sent.state, sent.text, sent.by) == ("draft", "right words", "pipeline")
    accept(tmp_path, "a", "truly right words")
    rows = corrected.run(
        {"transcribe": clips, "rehear": []} | corrected.context(tmp_path, corrected.Config()),
        corrected.Config(),
        Workspace(tmp_path, "k"),
    )
    assert {each["id"]: each["weight"] for each in rows} == {"a": 2.0, "b": 1.0, "d": 1.0}
    assert bubble(tmp_path, clips, config, synthesize=said, corrected=rows)["sent_back"] == 1
    assert Review(Corpus(tmp_path)).get("a").state == "accepted"
    assert Review(Corpus(tmp_path)).get("b").state == "draft"
    assert Review(Corpus(tmp_path)).get("a").clip.weight == 2.0
    assert Review(Corpus(tmp_path)).get("d").state == "accepted"


def test_a_tuned_recogniser_that_hears_something_else_than_was_accepted_sends_it_back(tmp_path):
    clips = [heard("a"), heard("b")]
    bubble(tmp_path, clips, review.Config())
    accept(tmp_path, "a", "It has 25 doors.")
    accept(tmp_path, "b", "It has 25 doors.")
    tuned = {"a": "it has twenty five doors", "b": "his cat was outdoors"}
    rows = [
        {"id": name, "disagreement": 0.9, "hypothesis": {"engine": "tuned/whisper", "text": text}}
        for name, text in tuned.items()
    ]
    assert bubble(tmp_path, clips, review.Config(), rehear=rows)["sent_back"] == 1
    assert Review(Corpus(tmp_path)).get("a").state == "accepted"
    assert Review(Corpus(tmp_path)).get("b").state == "draft"


def test_the_report_says_how_each_engine_did(tmp_path):
    clips = [heard("a", "right words")]
    bubble(tmp_path, clips, review.Config(probes=1.0))
    accept(tmp_path, "a", "right word")
    better = {"id": "a", "hypothesis": {"engine": "tuned", "text": "right word"}, "disagreement": 0.1}
    report = bubble(tmp_path, clips, review.Config(probes=1.0), rehear=[better])
    assert report["engines"]["held out"] == {}
    assert report["engines"]["accepted"]["tuned"] == {"cer": 0.0, "wer": 0.0, "words": 2}
    assert report["engines"]["probes"]["e"] == {"cer": 0.1, "wer": 0.5, "words": 2}
    assert [each.engine for each in Review(Corpus(tmp_path)).get("a").clip.hypotheses] == ["tuned", "e"]


def test_the_report_tells_held_out_recordings_apart(tmp_path):
    clips = [heard("a", "right words", source="taught"), heard("b", "wrong words", source="kept")]
    bubble(tmp_path, clips, review.Config())
    for name in "ab":
        accept(tmp_path, name)
    splits = [{"splits": {"taught": "train", "kept": "test"}}]
    report = bubble(tmp_path, clips, review.Config(), handover=splits)
    assert report["engines"]["accepted"]["e"] == {"cer": 0.2273, "wer": 0.25, "words": 4}
    assert report["engines"]["held out"]["e"]["words"] == 2


def test_clips_that_are_no_longer_made_retire(tmp_path):
    bubble(tmp_path, [heard("a"), heard("b")], review.Config())
    bubble(tmp_path, [heard("b")], review.Config())
    assert [each.clip.id for each in Review(Corpus(tmp_path)).queue()] == ["b"]


def test_probes_are_a_twentieth_and_always_the_same():
    drawn = [review.is_probe(str(n), 0.05) for n in range(4000)]
    assert drawn == [review.is_probe(str(n), 0.05) for n in range(4000)]
    assert 150 < sum(drawn) < 250


def test_splits_are_by_recording_and_do_not_move_as_the_corpus_grows(tmp_path):
    config = handover.Config()
    few, many = ({f"rec{n}" for n in range(count)} for count in (400, 800))
    before, after = handover.split(few, config), handover.split(many, config)
    assert all(after[name] == before[name] for name in few)
    counts = {name: list(after.values()).count(name) for name in handover.SPLITS}
    assert 20 < counts["dev"] < 60 and 20 < counts["test"] < 60
    assert sorted(handover.split({"x", "y", "z"}, config).values()) == ["dev", "test", "train"]
    clips = [
        {**heard(f"{s}{n}", source=s), "text": "t", "weight": 1.0, "by": "people", "taught": {}}
        for s in "xyz"
        for n in "12"
    ]
    item = {"corrected": clips, "synthesize": [], "align": []}
    (manifest,) = handover.run(item, config, Workspace(tmp_path, "k"))
    assert [manifest["files"][f"asr.{name}.jsonl"]["clips"] for name in handover.SPLITS] == [2, 2, 2]
    assert handover.run(item, config, Workspace(tmp_path, "k")) == [manifest]


def test_a_recording_keeps_the_split_that_it_was_given(tmp_path):
    # "Dealt out by rank" moved recordings from test to train when others came that ranked before them.
    config = handover.Config()
    work = Workspace(tmp_path, "k")
    seen: dict[str, str] = {}
    for count in (1, 2, 3, 4, 6, 20):
        clips = [
            {**heard(f"c{n}", source=f"r{n}"), "text": "t", "weight": 1.0, "by": "people", "taught": {}}
            for n in range(count)
        ]
        (manifest,) = handover.run({"corrected": clips, "synthesize": [], "align": []}, config, work)
        assert seen.items() <= manifest["splits"].items()
        seen = manifest["splits"]
    assert set(seen.values()) == {"train", "dev", "test"}
    fewer = handover.run({"corrected": clips[:2], "synthesize": [], "align": []}, config, work)
    assert fewer[0]["splits"] == {name: seen[name] for name in ("r0", "r1")}
    again = handover.run({"corrected": clips, "synthesize": [], "align": []}, handover.Config(test=0.4), work)
    assert again == [manifest]


def test_the_face_is_brought_to_the_middle_at_one_size():
    config = align.Config(smooth_frames=1e-3)
    points = np.zeros((3, 468, 2), np.float32)
    for t, (scale, x) in enumerate([(1, 0), (2, 40), (1.5, 90)]):
        for point, at in {
            33: (-35, 0),
            133: (-25, 0),
            362: (25, 0),
            263: (35, 0),
            1: (0, 20),
            234: (-50, 10),
            454: (50, 10),
        }.items():
            points[t, point] = np.array(at) * scale + (x, 60)
    moves = align.steady(points, config)
    moved = np.einsum("tij,tpj->tpi", moves[:, :, :2], points) + moves[:, None, :, 2]
    for t in range(3):
        right, left = moved[t, [33, 133]].mean(0), moved[t, [362, 263]].mean(0)
        np.testing.assert_allclose((right + left) / 2, (128, 0.4 * 256), atol=1e-3)
        np.testing.assert_allclose(left - right, (0.27 * 256, 0), atol=1e-3)
    np.testing.assert_allclose(align.turn(points), 0, atol=1e-6)
    points[:, 1, 0] += 40
    assert align.turn(points)[0] == pytest.approx(0.8)


def test_gaps_in_landmarks_are_bridged_by_the_nearest():
    one, two = np.zeros((468, 2), np.float32), np.ones((468, 2), np.float32)
    assert align.fill([None, one, None, None, two])[:, 0, 0].tolist() == [0, 0, 0, 1, 1]


def test_frames_with_something_before_the_mouth_are_told():
    random = np.random.default_rng(1)
    face = random.integers(90, 180, (32, 32, 3))
    crops = np.repeat(face[None], 60, 0) + random.integers(-6, 7, (60, 32, 32, 3))
    crops[:, 21:24, 13:19] = random.integers(115, 155, (60, 3, 6, 1))  # lips, teeth
    crops[50:] += 40  # a lamp is switched on
    crops[20:30, 16:27, 10:22] = (205, 160, 135)
    shares = occlusion.unlike(np.clip(crops, 0, 255).astype(np.uint8))
    covered = shares > align.Config().max_covered
    assert np.flatnonzero(covered).tolist() == list(range(20, 30))
    assert align.stretches(~covered, 15) == [[0, 20], [30, 60]]
    assert align.stretches(~covered, 25) == [[30, 60]]


def test_lips_that_move_alike_are_alike_whosoever_they_are():
    random = np.random.default_rng(2)
    one = np.tile(random.random((468, 2)).astype(np.float32) * 100, (20, 1, 1))
    eyes = [*align.RIGHT_EYE, *align.LEFT_EYE]
    one[:, eyes] = [[-40, 0], [-20, 0], [20, 0], [40, 0]]
    moves = random.normal(0, 3, (20, len(align.LIPS), 2))
    moves -= moves.mean(1, keepdims=True)
    other = one * 2 + 7
    other[:, list(align.LIPS)] += random.random((len(align.LIPS), 2)) * 9  # another mouth
    other[:, list(align.LIPS)] += 2 * moves
    still = one.copy()
    one[:, list(align.LIPS)] += moves
    assert face.lip_error(one, other) < 1e-4
    assert face.lip_error(one, still) == pytest.approx(
        np.linalg.norm(moves - moves.mean(0), axis=-1).mean() / 60
    )


def test_a_mistyped_setting_or_stage_is_named(tmp_path):
    path = tmp_path / "s.yaml"
    good = "name: x\ncorpus: c\nsources: [{path: p, licence: l, consent: c}]\n"
    for text, told in (
        (good + "stages: {filtre: {}}", "filtre"),
        (good + "stages: {filter: {min_second: 1}}", "min_second"),
        (good + "colour: red", "colour"),
        ("name: x\ncorpus: c\nsources: [{path: p, url: u, licence: l, consent: c}]", "either url or path"),
        ("name: x\ncorpus: c\nsources: [{path: p, licence: l}]", "consent"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigError, match=told):
            load_subject(path).runs()
    path.write_text(good)
    assert [run.name for run in load_subject(path).runs()] == [module.NAME for module in STAGES]


def test_a_clips_fields_are_strict():
    with pytest.raises(ValueError, match="colour"):
        Clip.model_validate({**heard("a"), "doubt": 0.1, "colour": "red"})
