from pathlib import Path

import numpy as np
import orjson
import pytest

from parley.bench.questions import TEXTS
from parley.errors import ConfigError
from parley.wer import plain_words
from training.asr.clips import Clip, corpus, drawn, listed, publish, repeated
from training.asr.config import load
from training.asr.features import Hearing, masked
from training.asr.sentences import kept_sentences, training_sentences
from training.asr.speech import SEEN, SUBJECT, UNSEEN, cast, collect
from training.asr.subject import LEXICON, said
from training.asr.tokens import IGNORED, Codec, small_tokenizer

CLIP = Clip(np.zeros(10, np.float32), "")


def test_what_is_tested_is_not_learnt() -> None:
    learnt = {tuple(plain_words(text)) for text in training_sentences(600, 60)}
    asked = {tuple(plain_words(text)) for text in (*kept_sentences(60), *TEXTS)}
    assert len(learnt) > 300
    assert not learnt & asked


def test_asking_for_more_sentences_to_keep_changes_none_of_the_first() -> None:
    many = kept_sentences(200)
    assert len(set(many)) == 200
    assert many[:60] == kept_sentences(60)


def test_the_small_whisper_knows_no_word_of_the_subject() -> None:
    words = {word for text in training_sentences(600, 60) for word in text.split()}
    assert not words & set(LEXICON)


def test_the_subject_says_nothing_twice_so_recordings_share_no_sentence() -> None:
    plain = [tuple(plain_words(text)) for text in said(1)]
    assert len(plain) > 150
    assert len(set(plain)) == len(plain)
    # Nor with a word of politeness around it: "so what is matcha" is "what is matcha please".
    polite = {"so", "well", "please", "hello", "then", "today"}
    bare = [tuple(word for word in words if word not in polite) for words in plain]
    assert len(set(bare)) == len(bare)


def test_held_out_clips_that_repeat_what_is_learnt_are_counted() -> None:
    learnt = [Clip(CLIP.audio, "what is matcha"), Clip(CLIP.audio, "who is mira")]
    held_out = [Clip(CLIP.audio, "what is matcha"), Clip(CLIP.audio, "what is oolong")]
    assert repeated(held_out, learnt) == 1
    assert repeated(held_out, []) == 0


def test_clips_say_what_they_should_with_their_phones_and_are_made_once(tmp_path: Path) -> None:
    voices = ("flite:slt", "espeak:en-us+f3")
    clips = collect(tmp_path, ["what is tea", "who made you"], voices, seed=3)
    assert [clip.text for clip in clips] == ["what is tea", "who made you"]
    symbols = {symbol for clip in clips for symbol, _ in clip.phones}
    assert {"t", "iy", "hh", "uw"} <= symbols
    assert all(ends == sorted(ends) for clip in clips if (ends := [end for _, end in clip.phones]))
    shard = tmp_path / "000000.npz"
    before = shard.stat().st_mtime_ns
    again = collect(tmp_path, ["what is tea", "who made you"], voices, seed=3)
    assert shard.stat().st_mtime_ns == before
    assert np.array_equal(again[0].audio, clips[0].audio)
    assert collect(tmp_path, ["what is tea"], voices, seed=3)[0].text == "what is tea"


def test_unseen_voices_say_nothing_that_is_learnt() -> None:
    assert set(cast(500, SEEN, 1)).isdisjoint((*UNSEEN, SUBJECT))
    assert SUBJECT not in UNSEEN  # nor does the subject's voice judge what general speech gained


def test_clips_are_drawn_as_often_as_they_weigh() -> None:
    clips = [Clip(CLIP.audio, "", weight) for weight in (1.0, 2.0, 0.0, 1.0)]
    random = np.random.default_rng(0)
    counts = np.bincount([drawn(clips, 1, random)[0] for _ in range(4000)], minlength=4)
    assert counts[2] == 0
    assert counts[1] / counts[0] == pytest.approx(2, rel=0.15)
    assert sorted(drawn(clips, 3, random)) == [0, 1, 3]


def test_a_clip_list_is_read_as_it_was_published(tmp_path: Path) -> None:
    tone = np.sin(np.arange(2400) / 10).astype(np.float32) / 2
    publish(tmp_path / "some.jsonl", [(tone, "one"), (tone[:1200] / 2, "two")])
    one, two = listed(tmp_path / "some.jsonl", tmp_path)
    assert (one.text, two.text) == ("one", "two")
    assert np.allclose(two.audio, tone[:1200] / 2, atol=1e-3)


def test_a_corpus_without_a_test_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="was not handed over"):
        corpus(tmp_path)
    (tmp_path / "handover").mkdir()
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    files = {f"asr.{split}.jsonl": {"sha256": empty} for split in ("train", "dev", "test")}
    (tmp_path / "handover" / "manifest.json").write_bytes(orjson.dumps({"files": files, "lexicon": {}}))
    for name in files:
        (tmp_path / "handover" / name).touch()
    with pytest.raises(ConfigError, match=r"asr\.train\.jsonl is empty"):
        corpus(tmp_path)


def test_a_config_with_a_mistyped_key_or_without_a_start_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "asr.yaml"
    whole = "name: a\ncorpus: c\ngeneral: g.jsonl\nout: o\n"
    path.write_text(whole + "setps: 3\nstart: x/y\n")
    with pytest.raises(ConfigError, match="setps"):
        load(path)
    path.write_text(whole)
    with pytest.raises(ConfigError, match="`start` names no Whisper"):
        load(path)
    path.write_text(whole + "start: openai/whisper-tiny\n")
    assert load(path).start == "openai/whisper-tiny"


def test_masks_cover_little_and_leave_the_clip_alone() -> None:
    features = np.random.default_rng(0).normal(size=(80, 200)).astype(np.float32)
    kept = features.copy()
    changed = masked(features, np.random.default_rng(1)) != features
    assert 0 < changed.mean() < 0.6
    assert np.array_equal(features, kept)


def test_spoilt_speech_keeps_its_place_after_the_first_pause() -> None:
    click = np.zeros(24_000, np.float32)
    click[12_000:12_400] = 0.9
    random = np.random.default_rng(2)
    for _ in range(5):
        features, lead_s = Hearing().spoilt(click, random)
        loudest = features.mean(0).argmax() / 100
        assert loudest == pytest.approx(lead_s + 0.508, abs=0.03)


def test_the_small_tokenizer_gives_text_back_and_no_word_begins_with_a_lone_space() -> None:
    codec = Codec(small_tokenizer(["who made this program", "what is the moon"], 300), multilingual=False)
    lesson = codec.lesson("who made the moon", ["program"])
    asked = [token for token in lesson.asked if token != IGNORED]
    assert codec.text(asked[1:]) == "who made the moon"
    lone = codec._tokenizer.token_to_id("Ġ")
    assert lone not in codec._encode("quick brown zebra")
