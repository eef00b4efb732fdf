"""The review page's interface: queue, edits, collisions, undo, history."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from parley.errors import ConfigError
from training.data.store import Corpus, Review
from training.data.voices import Casting
from training.studio.presence import FORGET_S, Presence
from training.studio.server import listen

API = "/studio/api"


def clip(http: TestClient, clip_id: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"{API}/clips/{clip_id}").json()
    return found


def edit(
    http: TestClient,
    clip_id: str,
    text: str,
    expected: int,
    *,
    state: str = "draft",
    by: str = "ann",
    **more: Any,
) -> Any:
    now = clip(http, clip_id)
    change = {"clip": clip_id, "expected": expected, "state": state, "text": text}
    change |= {"start_s": now["start_s"], "end_s": now["end_s"]} | more
    kind = "type" if state == "draft" else "decide"
    return http.post(f"{API}/edits", json={"changes": [change], "by": by, "kind": kind, "active_s": 30})


def test_the_queue_begins_with_the_greatest_doubt_and_leaves_hopeless_texts_empty(http: TestClient) -> None:
    queue = http.get(f"{API}/queue").json()
    assert [each["id"] for each in queue["clips"]][:3] == ["reading-4", "reading-3", "other-0"]
    assert queue["clips"][0]["text"] == "" and queue["clips"][1]["text"] == "ask parlay about the moon"
    first = clip(http, "reading-4")
    assert (first["text"], first["hidden"]) == ("", True)
    assert [each["text"] for each in first["heard"]] == ["heaven clams to buy", "zen and stood there"]
    assert first["recording_s"] > first["end_s"]
    assert http.get(f"{API}/clips/none").status_code == 404


def test_what_is_answered_is_on_the_disk(http: TestClient, corpus: Corpus) -> None:
    done = edit(http, "reading-3", "Ask Parley about the moon.", 0, state="accepted").json()
    assert (done["seq"], done["clips"][0]["version"], done["clips"][0]["state"]) == (1, 1, "accepted")
    stored = Review(corpus).get("reading-3")
    assert (stored.text, stored.state, stored.by) == ("Ask Parley about the moon.", "accepted", "ann")
    assert "reading-3" not in [each["id"] for each in http.get(f"{API}/queue").json()["clips"]]
    accepted = http.get(f"{API}/queue", params={"state": "accepted"}).json()["clips"]
    assert [each["id"] for each in accepted] == ["reading-3"]


def test_the_later_of_two_reviewers_gets_both_texts_and_nothing_is_written(
    http: TestClient, corpus: Corpus
) -> None:
    edit(http, "reading-3", "Ann's text", 0)
    late = edit(http, "reading-3", "Ben's text", 0, by="ben")
    assert late.status_code == 409
    (conflict,) = late.json()["conflicts"]
    assert conflict["yours"] == "Ben's text"
    assert (conflict["theirs"]["text"], conflict["theirs"]["by"]) == ("Ann's text", "ann")
    assert Review(corpus).get("reading-3").text == "Ann's text"
    assert edit(http, "reading-3", "Ben's text", conflict["theirs"]["version"], by="ben").status_code == 200


def test_a_submission_whose_answer_was_lost_may_be_repeated(http: TestClient, corpus: Corpus) -> None:
    first = edit(http, "reading-3", "Once", 0)
    again = edit(http, "reading-3", "Once", 0)
    assert again.status_code == 200 and again.json() == first.json()
    assert len(Review(corpus).edits()) == 1
    assert edit(http, "reading-3", "Once", 0, by="ben").status_code == 409


def test_undo_restores_and_leaves_alone_what_was_changed_since(http: TestClient, corpus: Corpus) -> None:
    edit(http, "reading-3", "A draft", 0)
    accepted = edit(http, "reading-3", "Accepted", 1, state="accepted").json()["seq"]
    undone = http.post(f"{API}/edits/{accepted}/undo", json={"by": "ann"}).json()
    assert (undone["clips"][0]["text"], undone["clips"][0]["state"]) == ("A draft", "draft")
    again = http.post(f"{API}/edits/{accepted}/undo", json={"by": "ann"}).json()
    assert again["skipped"] == ["reading-3"]
    kinds = [(each["kind"], each["text"]) for each in http.get(f"{API}/clips/reading-3/history").json()]
    assert kinds == [
        ("undo", "A draft"),
        ("decide", "Accepted"),
        ("type", "A draft"),
        ("heard", "ask parlay about the moon"),
    ]
    assert len(Review(corpus).edits()) == 3
    assert http.post(f"{API}/edits/99/undo", json={"by": "ann"}).status_code == 400


def test_undo_of_the_first_edit_empties_a_hopeless_box_again(http: TestClient) -> None:
    seq = edit(http, "reading-4", "Seven", 0).json()["seq"]
    (back,) = http.post(f"{API}/edits/{seq}/undo", json={"by": "ann"}).json()["clips"]
    assert (back["state"], back["text"], back["hidden"], back["version"]) == ("todo", "", True, 2)


@pytest.mark.parametrize(
    "wrong",
    [{"start_s": -1}, {"end_s": 500.0}, {"start_s": 3.0, "end_s": 3.05}, {"start_s": 5.0, "end_s": 4.0}],
)
def test_ends_must_be_a_piece_of_the_recording(
    http: TestClient, corpus: Corpus, wrong: dict[str, Any]
) -> None:
    assert edit(http, "reading-0", "x", 0, **wrong).status_code == 400
    assert Review(corpus).edits() == []


def test_mistyped_or_oversized_requests_are_refused(http: TestClient) -> None:
    assert edit(http, "reading-0", "x" * 5001, 0).status_code == 400
    assert edit(http, "reading-0", "x", 0, colour="red").status_code == 422
    assert http.post(f"{API}/edits", json={"changes": [], "by": "ann", "kind": "type"}).status_code == 422
    assert edit(http, "reading-0", "x", 0, by=" ").status_code == 422


def test_progress_and_words_per_minute(http: TestClient) -> None:
    edit(http, "reading-3", "Ask Parley about the moon.", 0, state="accepted")
    edit(http, "reading-1", "Today Parley listens to you.", 0, state="accepted")
    edit(http, "other-1", "", 0, state="music", by="ben")
    progress = http.get(f"{API}/queue", params={"by": "ann"}).json()["progress"]
    assert progress["counts"] == {"todo": 4, "accepted": 2, "music": 1}
    assert progress["mine"] == {"words": 10, "minutes": 1.0, "words_per_minute": 10.0}
    assert progress["everyone"]["words"] == 10 and progress["everyone"]["minutes"] == 1.5
    http.post(f"{API}/edits/1/undo", json={"by": "ann"})
    assert http.get(f"{API}/queue", params={"by": "ann"}).json()["progress"]["mine"]["words"] == 5


def test_an_open_clip_is_marked_for_other_tabs(http: TestClient) -> None:
    http.get(f"{API}/clips/reading-4", params={"tab": "one"})
    marked = {
        each["id"]
        for each in http.get(f"{API}/queue", params={"tab": "two"}).json()["clips"]
        if each["elsewhere"]
    }
    assert marked == {"reading-4"}
    own = http.get(f"{API}/queue", params={"tab": "one", "clip": "reading-4"}).json()["clips"]
    assert not any(each["elsewhere"] for each in own)


def test_a_closed_tab_is_forgotten() -> None:
    now = 0.0
    presence = Presence(lambda: now)
    presence.tell("one", "c")
    assert presence.elsewhere("two") == {"c"}
    now = FORGET_S + 1
    assert presence.elsewhere("two") == set()


def test_a_full_disk_is_said(http: TestClient, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.data.jsonl.os.pwrite", full)
    refused = edit(http, "reading-0", "x", 0)
    assert refused.status_code == 507 and "No space left" in refused.json()["error"]["message"]
    monkeypatch.undo()
    assert edit(http, "reading-0", "x", 0).status_code == 200


def test_other_sites_and_other_names_are_refused(http: TestClient) -> None:
    assert http.get(f"{API}/queue", headers={"host": "evil.example"}).status_code == 421
    body = {"by": "ann"}
    cross = http.post(f"{API}/edits/1/undo", json=body, headers={"origin": "http://evil.example"})
    assert cross.status_code == 403
    same = http.post(f"{API}/edits/1/undo", json=body, headers={"origin": "http://127.0.0.1:8090"})
    assert same.status_code == 400  # reached: there is no such edit
    form = http.post(f"{API}/edits/1/undo", content="by=ann", headers={"content-type": "text/plain"})
    assert form.status_code == 415


def test_the_page_has_a_strict_policy(http: TestClient) -> None:
    page = http.get("/studio/review")
    policy = page.headers["content-security-policy"]
    assert page.status_code == 200 and "default-src 'none'" in policy and "unsafe" not in policy
    assert "immutable" in http.get("/studio/assets/a-1.js").headers["cache-control"]
    assert http.get("/studio/assets/..%2f..%2freview%2fclips.jsonl").status_code == 404
    assert http.get("/", follow_redirects=False).headers["location"] == "/studio/review"


def test_only_this_machine_is_served() -> None:
    with pytest.raises(ConfigError, match="ssh"):
        listen("0.0.0.0", 0)
    with listen("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match="another --port"):
        taken.listen()
        listen("127.0.0.1", taken.getsockname()[1])


def test_a_voice_is_heard_and_picked_for_the_next_run(http: TestClient, corpus: Corpus) -> None:
    voices = http.get(f"{API}/voices").json()
    assert [(each["label"], each["target"], each["waiting"]) for each in voices] == [
        ("A", True, False),
        ("B", False, False),
    ]
    assert voices[1]["titles"] == ["A other"]
    heard = http.get(f"{API}/voices/B/sound")
    assert heard.headers["content-type"] == "audio/wav" and len(heard.content) > 100_000
    picked = http.post(f"{API}/voices/pick", json={"label": "B", "by": "ann"}).json()
    assert [each["waiting"] for each in picked] == [False, True]
    assert Casting(corpus.root).picked.read_bytes() == heard.content
    assert http.post(f"{API}/voices/pick", json={"label": "Z", "by": "ann"}).status_code == 400
    assert http.get(f"{API}/voices/Z/sound").status_code == 400
    for recording in (corpus.root / "blobs").resolve().glob("other.wav"):
        recording.rename(recording.with_suffix(".gone"))
        assert http.get(f"{API}/voices/B/sound").status_code == 404
        recording.with_suffix(".gone").rename(recording)


def test_a_corpus_in_which_nobody_has_looked_for_voices_has_none(http: TestClient, corpus: Corpus) -> None:
    (corpus.root / "review" / "voices.json").unlink()
    assert http.get(f"{API}/voices").json() == []
