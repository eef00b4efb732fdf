"""What the coqui engine does without coqui-tts: words for its models, phones of theirs, and errors."""

import json
from pathlib import Path

import numpy as np
import pytest

from parley.errors import EngineUnavailable
from services.tts import fetch
from services.tts.config import TtsSettings
from services.tts.engines.coqui import AGREED, load_coqui
from services.tts.engines.coqui_text import respelled, symbols, timed
from services.tts.engines.spoken import tokens


def test_a_pronunciation_becomes_ipa_or_letters() -> None:
    words = tokens("Ask [M IH1 R AH0], please.")
    assert symbols(words[1].phones) == "mˈɪɹə"
    assert respelled(words) == "Ask mira, please."


def test_phones_are_read_from_a_models_symbols() -> None:
    written = ["t", "ʃ", "ˈ", "e", "ɪ", "n", "ː", ",", "h", "ə"]
    phones = timed(written, np.arange(1, 11) * 100.0)
    assert [(p.symbol, p.end) for p in phones] == [
        ("ch", 300), ("ey", 500), ("n", 700), ("pau", 800), ("hh", 900), ("ah", 1000)
    ]  # fmt: skip


def test_blanks_belong_to_the_phone_before() -> None:
    phones = timed(["_", "t", "_", "ʃ", "_"], np.arange(1, 6) * 10.0)
    assert [(p.symbol, p.end) for p in phones] == [("pau", 10), ("ch", 50)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (None, r"config\.json is missing.*services\.tts\.fetch"),
        ("{", r"config\.json is damaged.*services\.tts\.fetch"),
        (json.dumps({"model": "bark"}), "Choose a VITS or an XTTS"),
        (json.dumps({"model": "xtts"}), r"nobody has agreed.*services\.tts\.fetch"),
    ],
)
def test_what_is_missing_is_named_with_the_command(config: str | None, message: str, tmp_path: Path) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config, encoding="utf-8")
    with pytest.raises(EngineUnavailable, match=message):
        load_coqui(TtsSettings(model=str(tmp_path)))


def test_no_checkpoint_at_all() -> None:
    with pytest.raises(EngineUnavailable, match="PARLEY_TTS_MODEL"):
        load_coqui(TtsSettings())


class _Keyboard:
    def __init__(self, typed: str) -> None:
        self._typed = typed

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self._typed + "\n"


@pytest.mark.parametrize(("typed", "agreed"), [("yes", True), ("y", False), ("", False)])
def test_a_licence_is_agreed_to_by_typing_yes(
    typed: str, agreed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", _Keyboard(typed))
    assert fetch.ask(tmp_path) is agreed
    assert (tmp_path / AGREED).is_file() is agreed


def test_nobody_at_the_keyboard_agrees_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyboard = _Keyboard("yes")
    monkeypatch.setattr(keyboard, "isatty", lambda: False)
    monkeypatch.setattr("sys.stdin", keyboard)
    assert not fetch.ask(tmp_path)
