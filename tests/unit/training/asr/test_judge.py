from pathlib import Path

import pytest

from training.asr.judge import Score, score, words_in
from training.asr.promote import current, record, verdict


def test_words_of_the_lexicon_are_counted_on_their_own() -> None:
    said = ["i like oolong tea", "see the perseids"]
    found = score(said, ["i like a long tea", "see the perseids"], ["oolong", "perseids"])
    assert found.words == 7
    assert found.wer == pytest.approx(2 / 7, abs=1e-4)
    assert (found.lexicon, found.lexicon_words) == (0.5, 2)


def test_a_word_of_the_lexicon_that_nobody_said_is_an_error_of_its_own() -> None:
    found = score(["i like oolong", "i like tea"], ["i like oolong", "i like oolong"], ["oolong"])
    assert found.lexicon == 1.0
    assert found.wer == pytest.approx(1 / 6, abs=1e-4)


def test_without_words_of_the_lexicon_there_is_no_rate_of_them() -> None:
    assert score(["what is tea"], ["what is tea"], ["oolong"]).lexicon is None
    assert score([], []).wer == 0


def test_words_are_found_whole() -> None:
    assert words_in(["Miranda drinks Oolong, often"], ["mira", "oolong"]) == {"oolong"}


def made(held: float, general: float) -> dict[str, Score]:
    return {k: Score(w, w, None, 10, 100, 0) for k, w in {"held_out": held, "general": general}.items()}


@pytest.mark.parametrize(
    ("after", "promoted", "why"),
    [
        (made(0.19, 0.10), True, "better"),
        (made(0.19, 0.05), True, "better"),
        (made(0.20, 0.05), False, "no gain"),
        (made(0.25, 0.05), False, "no gain"),
        (made(0.01, 0.1001), False, "forgets"),
    ],
)
def test_the_gate(after: dict[str, Score], promoted: bool, why: str) -> None:
    found = verdict(made(0.20, 0.10), after)
    assert found.promoted is promoted
    assert why in found.why


def test_the_manifest_keeps_every_report_and_names_what_is_current(tmp_path: Path) -> None:
    assert current(tmp_path, "whisper") == ""
    record(tmp_path, "whisper", "ada-1", {"why": "good"}, promoted=True)
    record(tmp_path, "whisper", "ada-2", {"why": "it forgets"}, promoted=False)
    record(tmp_path, "sphinx", "ada-lm", {"why": "good"}, promoted=True)
    assert (current(tmp_path, "whisper"), current(tmp_path, "sphinx")) == ("ada-1", "ada-lm")
    text = (tmp_path / "asr" / "manifest.json").read_text()
    assert "it forgets" in text
