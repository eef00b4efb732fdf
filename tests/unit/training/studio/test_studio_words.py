"""Words everywhere, the lexicon, sound, and imported transcripts."""

import io
import wave

import pytest
from fastapi.testclient import TestClient

from parley.errors import BadRequest
from tests.unit.training.studio.corpus import READING
from training.data.store import Corpus, Review
from training.studio import words
from training.studio.sound import peaks, ranged
from training.studio.transcripts import Slot, by_times, by_words, lay

API = "/studio/api"
SLOTS = [
    Slot("a", 0.0, 3.0, "parlay draws a face"),
    Slot("b", 3.0, 6.0, "today parlay listens"),
    Slot("c", 8.0, 11.0, "nobody knows the star"),
]


@pytest.mark.parametrize(
    ("text", "word", "replacement", "expected"),
    [
        ("ask parlay, Parlay's parlays", "parlay", "Parley", "ask Parley, Parlay's parlays"),
        ("There way is there", "there", "their", "Their way is their"),
        ("in new york today", "new york", "New York", "in New York today"),
        ("well um yes", "um", "", "well yes"),
        ("a.b axb", "a.b", "c", "c axb"),
        (r"back", "back", r"\1", r"\1"),
    ],
)
def test_a_word_is_replaced_whole(text: str, word: str, replacement: str, expected: str) -> None:
    assert words.replace(text, word, replacement) == expected


def test_words_are_counted() -> None:
    assert words.count("It's 3.5 o'clock, well-known — yes.") == 5


def test_a_word_is_fixed_in_the_chosen_places_as_one_edit(http: TestClient, corpus: Corpus) -> None:
    places = http.get(f"{API}/places", params={"word": "parlay", "replacement": "Parley"}).json()
    assert {each["clip"] for each in places} == {"reading-0", "reading-1", "reading-3"}
    chosen = {each["clip"]: each["version"] for each in places if each["clip"] != "reading-1"}
    asked = {"word": "parlay", "replacement": "Parley", "places": chosen, "by": "ann"}
    done = http.post(f"{API}/places", json=asked).json()
    assert {each["text"] for each in done["clips"]} == {
        "Parley draws a face that speaks",
        "ask Parley about the moon",
    }
    assert {each["state"] for each in done["clips"]} == {"todo"}
    assert Review(corpus).get("reading-1").text == "today parlay listens to you"
    assert http.post(f"{API}/places", json=asked).json() == done  # repeated: its answer may have been lost
    assert http.post(f"{API}/places", json=asked | {"by": "ben"}).status_code == 409
    http.post(f"{API}/edits/{done['seq']}/undo", json={"by": "ann"})
    assert Review(corpus).get("reading-0").text == "parlay draws a face that speaks"


def test_one_place_that_was_changed_stops_the_whole_fix(http: TestClient, corpus: Corpus) -> None:
    places = {"reading-0": 0, "reading-1": 0}
    one = {"word": "parlay", "replacement": "Parley", "by": "ann"}
    http.post(f"{API}/places", json=one | {"places": {"reading-0": 0}})
    late = http.post(f"{API}/places", json=one | {"places": places, "by": "ben"})
    assert late.status_code == 409 and late.json()["conflicts"][0]["clip"] == "reading-0"
    assert Review(corpus).get("reading-1").version == 0


def test_a_hidden_text_is_no_place(http: TestClient) -> None:
    assert http.get(f"{API}/places", params={"word": "heaven", "replacement": "seven"}).json() == []


def test_a_word_is_pronounced_by_rule_heard_and_taught(http: TestClient, corpus: Corpus) -> None:
    phones = http.get(f"{API}/pronunciation", params={"word": "Parley"}).json()["phones"]
    assert phones == "P AA R L IY"
    said = http.get(f"{API}/pronunciation/sound", params={"word": "Parley", "phones": phones})
    with wave.open(io.BytesIO(said.content)) as file:
        assert 0.2 < file.getnframes() / file.getframerate() < 2
    taught = http.post(f"{API}/lexicon", json={"word": "Parley", "phones": "p aa1 r l ey0", "by": "ann"})
    assert taught.json()["phones"] == "P AA R L EY"
    assert corpus.lexicon()["Parley"].phones == "P AA R L EY"
    assert http.get(f"{API}/pronunciation", params={"word": "Parley"}).json()["phones"] == "P AA R L EY"
    assert [each["word"] for each in http.get(f"{API}/lexicon").json()["entries"]] == ["Parley"]
    wrong = http.post(f"{API}/lexicon", json={"word": "Parley", "phones": "P QQ", "by": "ann"})
    assert wrong.status_code == 400 and "QQ" in wrong.json()["error"]["message"]


def test_a_consonant_that_no_voice_can_say_alone_is_refused(http: TestClient) -> None:
    """Found by `tests.fuzz.review`: it was a server error."""
    said = http.get(f"{API}/pronunciation/sound", params={"word": "p", "phones": "P"})
    assert said.status_code == 400 and "vowel" in said.json()["error"]["message"]


def test_a_clip_is_heard_in_pieces(http: TestClient) -> None:
    piece = {"start_s": 0.7, "end_s": 2.7}
    whole = http.get(f"{API}/clips/reading-0/sound", params=piece)
    with wave.open(io.BytesIO(whole.content)) as file:
        assert file.getnframes() == 2 * file.getframerate()
    part = http.get(f"{API}/clips/reading-0/sound", params=piece, headers={"range": "bytes=44-1043"})
    assert part.status_code == 206 and part.content == whole.content[44:1044]
    assert part.headers["content-range"] == f"bytes 44-1043/{len(whole.content)}"
    outline = http.get(f"{API}/clips/reading-0/peaks", params=piece | {"bins": 100}).json()
    assert len(outline) == 100 and max(outline) > 50
    assert http.get(f"{API}/clips/reading-0/sound", params={"start_s": 3, "end_s": 2}).status_code == 400


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        (None, 200, b"0123456789"),
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-3", 206, b"789"),
        ("bytes=5-99", 206, b"56789"),
        ("bytes=10-", 416, b""),
        ("bytes=-", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
def test_ranges(asked: str | None, status: int, body: bytes) -> None:
    answer = ranged(b"0123456789", "text/plain", asked)
    assert (answer.status_code, answer.body) == (status, body)


def test_peaks_of_nothing_and_of_less_than_the_bins() -> None:
    def wav(samples: bytes) -> bytes:
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(samples)
        return out.getvalue()

    assert peaks(wav(b""), 3) == [0, 0, 0]
    assert peaks(wav(b"\0\x80\0\x40"), 4) == [1000, 1000, 500, 500]


def test_plain_text_goes_where_it_was_heard() -> None:
    text = "Parley draws a face. Today, Parley listens! Words between, in no clip. Nobody owns the star."
    assert by_words(text.split(), SLOTS) == {
        "a": "Parley draws a face.",
        "b": "Today, Parley listens! Words between, in no clip.",
        "c": "Nobody owns the star.",
    }
    assert by_words("Something else entirely was said.".split(), SLOTS) == {}
    assert by_words(["x"], []) == {}


def test_subtitles_go_where_their_times_fall() -> None:
    srt = (
        "1\n00:00:00,500 --> 00:00:02,500\n<i>Parley draws</i>\na face.\n\n"
        "2\n00:00:03,200 --> 00:00:05,500\nToday Parley listens.\n\n"
        "3\n00:00:06,500 --> 00:00:07,500\nin no clip\n"
    )
    vtt = (
        "WEBVTT\n\n00:00.500 --> 00:02.500\nParley draws a face.\n\n"
        "00:03.200 --> 00:05.500\nToday Parley listens.\n"
    )
    expected = {"a": "Parley draws a face.", "b": "Today Parley listens."}
    assert lay("own.SRT", srt, SLOTS) == expected
    assert lay("own.vtt", vtt, SLOTS) == expected
    assert by_times([(2.0, 4.0, ["across", "border"])], SLOTS) == {"a": "across", "b": "border"}


@pytest.mark.parametrize(("name", "content"), [("a.pdf", "x"), ("a.srt", "no times"), ("a.vtt", "WEBVTT\n")])
def test_files_that_are_no_transcripts_are_refused(name: str, content: str) -> None:
    with pytest.raises(BadRequest, match="a\\."):
        lay(name, content, SLOTS)


def test_an_import_makes_drafts_of_untouched_clips_only(http: TestClient, corpus: Corpus) -> None:
    sources = http.get(f"{API}/sources").json()
    assert [(each["id"], each["clips"], each["untouched"]) for each in sources] == [
        ("other", 2, 2),
        ("reading", 5, 5),
    ]
    now = http.get(f"{API}/clips/reading-0").json()
    change = {name: now[name] for name in ("start_s", "end_s")} | {"clip": "reading-0", "expected": 0}
    change |= {"state": "accepted", "text": "By hand"}
    http.post(f"{API}/edits", json={"changes": [change], "by": "ann", "kind": "decide"})
    asked = {
        "source": "reading",
        "filename": "reading.txt",
        "content": " ".join(s[0] for s in READING),
        "by": "ann",
    }
    done = http.post(f"{API}/transcripts", json=asked).json()
    assert (done["changed"], done["kept"], done["unmatched"]) == (3, 1, 1)  # the fifth was heard too badly
    review = Review(corpus)
    assert review.get("reading-0").text == "By hand"
    assert (review.get("reading-1").text, review.get("reading-1").state) == (READING[1][0], "draft")
    http.post(f"{API}/edits/{done['seq']}/undo", json={"by": "ann"})
    assert Review(corpus).get("reading-1").state == "todo"
    assert http.post(f"{API}/transcripts", json=asked | {"source": "none"}).status_code == 400
