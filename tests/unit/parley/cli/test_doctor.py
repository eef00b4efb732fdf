"""The doctor finds what is missing and says how to get it."""

import pytest
from rich.console import Console

from parley.cli.doctor import Finding, examine, show


def test_a_missing_program_comes_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None if name == "festival" else f"/usr/bin/{name}")
    festival = next(f for f in examine() if f.what == "festival")
    assert not festival.ok
    assert festival.needed
    assert festival.fix == "sudo apt-get install festival"


def test_findings_are_shown_with_fixes_only_where_needed(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=200)
    show([Finding("a", True, "there", "never shown"), Finding("b", False, "gone", "get it")], console)
    out = capsys.readouterr().out
    assert "never shown" not in out
    assert "→ get it" in out
