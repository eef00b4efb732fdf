"""A corrected corpus becomes a voice's material: phones where they are spoken, and only with consent."""

import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import orjson
import pytest
import typer
from typer.testing import CliRunner

from parley import consent
from parley.errors import ConfigError
from parley.media.audio import resample
from parley.media.files import write_wav
from services.tts.config import TtsSettings
from services.tts.engines import load as load_voices
from services.tts.engines.phones import SILENCE
from services.tts.engines.spoken import tokens
from services.tts.fastpitch.frames import HOP
from services.tts.fastpitch.phonemes import FrontEnd
from training.data import forced
from training.data.stages.handover import SPLITS
from training.tts import corpus
from training.tts.material import load

SAID = {
    "train": ["The birch canoe slid on the smooth planks.", "Glue the sheet to the dark blue background."],
    "dev": ["Rice is often served in round bowls."],
    "test": ["The juice of lemons makes fine punch."],
}
APP = typer.Typer()
APP.command()(corpus.main)


def speech(text: str) -> tuple[np.ndarray, list[int]]:
    """`text` said by flite, and the ends of its phones in samples, silences left out."""
    chunks = list(load_voices("flite", TtsSettings()).synthesize(text, voice="rms"))
    ends = [phone.end for chunk in chunks for phone in chunk.phones if phone.symbol != SILENCE]
    return np.concatenate([chunk.audio for chunk in chunks]), ends


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of four clips; the text of the second was corrected into something else."""
    root = tmp_path_factory.mktemp("subject")
    (root / "handover").mkdir()
    manifest: dict[str, dict[str, object]] = {"files": {}, "lexicon": {}}
    for split in SPLITS:
        lines = []
        for number, text in enumerate(SAID[split]):
            audio, _ = speech(text)
            write_wav(root / f"{split}-{number}.wav", audio)
            told = "Nothing of this is in it at all, believe me." if number else text
            line = {"id": f"{split}-{number}", "audio": f"{split}-{number}.wav", "text": told}
            lines.append(line | {"start_s": 0.0, "end_s": len(audio) / 24_000})
        data = b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines)
        (root / "handover" / f"tts.{split}.jsonl").write_bytes(data)
        manifest["files"][f"tts.{split}.jsonl"] = {"sha256": hashlib.sha256(data).hexdigest()}
    (root / "handover" / "manifest.json").write_bytes(orjson.dumps(manifest))
    return root


def test_what_does_not_fit_is_left_out_and_what_is_held_out_comes_last(subject: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(APP, [str(subject), str(tmp_path), "--nobody"])
    assert shown.exit_code == 0, shown.output
    assert "left out: train-1: " in shown.output and "held_out: 2" in shown.output
    texts = [clip.text for clip in load(tmp_path)]
    assert texts[0] == SAID["train"][0] and set(texts[1:]) == {SAID["dev"][0], SAID["test"][0]}
    before = sorted(path.stat().st_mtime_ns for path in tmp_path.iterdir())
    again = CliRunner().invoke(APP, [str(subject), str(tmp_path), "--nobody"])
    assert again.output == shown.output
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.iterdir()) == before


def test_phones_are_found_where_they_are_spoken() -> None:
    (text,) = SAID["dev"]
    audio, ends = speech(text)
    clip = corpus.clip_of(audio, text, FrontEnd(), corpus.Lexicon({}))
    assert clip.durations.sum() * HOP == len(clip.audio)
    silent = clip.codes[:, 0] == 1
    found = np.cumsum(clip.durations)[~silent] * HOP
    assert len(found) == len(ends)
    assert np.median(np.abs(found - ends)) < 0.03 * 24_000


def test_phones_that_are_written_alike_in_a_row_are_not_confused() -> None:
    audio, _ = speech("Sing a song, my young king.")
    heard = resample(audio, 24_000, forced.RATE_HZ)
    rest = ["AH", "S AO NG", "M AY", "Y AH NG", "K IH NG"]
    for first in ("S IH NG", "S IH N G"):
        found = forced.align_phones(heard, [each.split() for each in (first, *rest)])
        assert [symbol for symbol, _, _ in found.words[0].phones] == first.split()


def test_words_of_a_clause() -> None:
    read = FrontEnd().read(tokens("Green tea, please."))
    assert corpus.words_in(read) == ["g r iy n".split(), "t iy".split(), "p l iy z".split()]


def test_nobody_s_voice_is_taken_without_being_asked(
    subject: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_AVATARS_DIR", str(tmp_path))
    with pytest.raises(ConfigError, match="Whose voice"):
        corpus.main(subject, tmp_path / "out")
    agreed = {
        "person": "Ada Example",
        "granted": date(2026, 1, 1),
        "purposes": ("face",),
        "statement": "I agree that an avatar of my face is made.",
        "evidence": "letter",
    }
    consent.save(tmp_path / "ada", consent.Consent.model_validate(agreed))
    with pytest.raises(consent.ConsentMissing, match="not to voice"):
        corpus.main(subject, tmp_path / "out", avatar="ada")
    assert not (tmp_path / "out").exists()


def test_a_corpus_that_was_changed_is_refused(subject: Path, tmp_path: Path) -> None:
    (tmp_path / "handover").mkdir()
    for path in (subject / "handover").iterdir():
        (tmp_path / "handover" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "handover" / "tts.dev.jsonl").write_bytes(b"{}\n")
    with pytest.raises(ConfigError, match=r"tts\.dev\.jsonl was changed"):
        corpus.rows_of(tmp_path)
