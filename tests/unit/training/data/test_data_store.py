"""The review store: nothing overwritten, nothing lost."""

import wave
from pathlib import Path

import pytest

from training.data.clips import Change, Clip, Hypothesis
from training.data.store import Corpus, Review, UnknownClip, VersionConflict


def clip(name: str, doubt: float = 0.5, **more: object) -> Clip:
    return Clip.model_validate(
        {
            "id": name,
            "source": "s",
            "title": "a talk",
            "audio": "blobs/s.wav",
            "start_s": 0.1,
            "end_s": 0.6,
            "hypotheses": [Hypothesis(engine="e", text=f"text of {name}")],
            "disagreement": 0.0,
            "doubt": doubt,
            **more,
        }
    )


def change(name: str, expected: int, text: str = "right", state: str = "accepted") -> Change:
    return Change.model_validate(
        {"clip": name, "expected": expected, "state": state, "text": text, "start_s": 0.1, "end_s": 0.6}
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    found = Corpus(tmp_path)
    found.publish([clip("a", 0.1), clip("b", 0.9), clip("c", 0.5)])
    return found


def test_the_queue_is_sorted_by_doubt_and_shows_the_best_hypothesis(corpus):
    queue = Review(corpus).queue()
    assert [each.clip.id for each in queue] == ["b", "c", "a"]
    assert queue[0].text == "text of b" and queue[0].version == 0 and queue[0].state == "todo"


def test_an_unchanged_clip_is_not_published_twice_and_a_retired_one_leaves_the_queue(corpus):
    assert corpus.publish([clip("a", 0.1), clip("b", 0.9, retired=True)]) == 1
    assert [each.clip.id for each in Review(corpus).queue()] == ["c", "a"]


def test_two_reviewers_never_overwrite_each_other(corpus):
    one, two = Review(corpus), Review(corpus)
    one.submit([change("a", 0, "first")], by="ann")
    with pytest.raises(VersionConflict) as caught:
        two.submit([change("a", 0, "second")], by="bob")
    assert caught.value.current[0].text == "first" and caught.value.current[0].version == 1
    two.submit([change("a", 1, "second")], by="bob")
    assert one.get("a").text == "second" and one.get("a").by == "bob"


def test_an_edit_of_many_clips_stands_or_falls_as_one(corpus):
    review = Review(corpus)
    review.submit([change("a", 0)], by="ann")
    with pytest.raises(VersionConflict):
        review.submit([change("b", 0), change("a", 0)], by="bob", kind="fix_all")
    assert Review(corpus).get("b").version == 0
    review.submit([change("b", 0), change("a", 1)], by="bob", kind="fix_all")
    assert Review(corpus).counts() == {"accepted": 2, "todo": 1}


def test_history_keeps_every_step_and_undo_is_one_more(corpus):
    review = Review(corpus)
    for version, text in enumerate(["f", "fi", "fix", "fi"]):
        review.submit([change("a", version, text, "draft")], by="ann", kind="type")
    again = Review(corpus)
    assert [edit.changes[0].text for edit in again.history("a")] == ["f", "fi", "fix", "fi"]
    assert again.get("a").state == "draft" and again.queue()[-1].version == 4


def test_a_server_killed_in_the_middle_of_a_line_loses_that_edit_only(corpus):
    Review(corpus).submit([change("a", 0, "kept")], by="ann")
    with corpus.corrections_path.open("ab") as file:
        file.write(b'{"seq":2,"at":1.0,"by":"ann","kind":"type","chang')
    review = Review(corpus)
    assert review.get("a").text == "kept"
    review.submit([change("a", 1, "next")], by="ann")
    assert [edit.seq for edit in Review(corpus).edits()] == [1, 2]


def test_an_unknown_clip_is_refused(corpus):
    with pytest.raises(UnknownClip, match="nobody"):
        Review(corpus).submit([change("nobody", 0)], by="ann")
    assert not Review(corpus).edits()


def test_sound_is_cut_at_the_recordings_ends(corpus):
    path = corpus.root / "blobs" / "s.wav"
    path.parent.mkdir()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(bytes(48_000))
    assert len(corpus.sound(clip("a"), -1, 9)) == 44 + 48_000
    assert len(corpus.sound(clip("a"), 0.25, 0.5)) == 44 + 12_000
    assert len(corpus.sound(clip("a"), 5, 9)) == 44


def test_the_last_pronunciation_of_a_word_counts(corpus):
    corpus.teach("parley", "P AA R L EY", "ann")
    corpus.teach("parley", "P AA R L IY", "bob")
    assert {word: entry.phones for word, entry in corpus.lexicon().items()} == {"parley": "P AA R L IY"}
