"""Nobody's likeness without a consent record that holds."""

import importlib
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.errors import status_of
from parley import consent
from parley.avatars import list_avatars, load_avatar
from parley.cli.main import app
from parley.consent import Consent, ConsentMissing
from parley.settings import REPOSITORY

TODAY = date(2026, 5, 3)
GIVEN = Consent(
    person="Ada Example",
    granted=date(2026, 1, 1),
    purposes=("face",),
    statement="I agree that an avatar of my face is made and shown.",
    evidence="signed letter, folder 7",
    expires=date(2026, 12, 31),
)
MANIFEST = "title: Ada\ndescription: x\nvoice: {engine: flite, voice: slt}\nlikeness: "


def test_a_record_holds_for_what_was_agreed_and_as_long(tmp_path: Path) -> None:
    consent.save(tmp_path / "ada", GIVEN)
    assert (tmp_path / "ada" / "consent.yaml").stat().st_mode & 0o777 == 0o600
    assert consent.require(tmp_path / "ada", "face", today=TODAY) == GIVEN
    for purpose, day, reason in (
        ("voice", TODAY, "agreed to face, not to voice"),
        ("text", TODAY, "agreed to face, not to text"),
        ("face", date(2027, 1, 1), "ended on 2026-12-31"),
        ("face", date(2025, 12, 31), "begins on 2026-01-01"),
    ):
        with pytest.raises(ConsentMissing, match=reason) as caught:
            consent.require(tmp_path / "ada", purpose, today=day)  # type: ignore[arg-type]
        assert "parley consent record ada" in caught.value.fix
    consent.save(tmp_path / "ada", GIVEN.model_copy(update={"withdrawn": TODAY}))
    with pytest.raises(ConsentMissing, match="withdrew"):
        consent.require(tmp_path / "ada", "face", today=TODAY)
    assert consent.require(tmp_path / "ada", "face", today=TODAY - timedelta(days=1))


@pytest.mark.parametrize(
    "text", ["", "[1]", "person: A", "{", "person: Ada\ngranted: yes\npurposes: [face]\nstatement: ok"]
)
def test_what_is_no_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "consent.yaml").write_text(text)
    with pytest.raises(ConsentMissing, match=r"is not a consent record"):
        consent.require(tmp_path, "face")
    with pytest.raises(ConsentMissing, match="no consent record for 'nobody'"):
        consent.require(tmp_path / "nobody", "face")


def test_an_avatar_of_a_person_needs_their_consent_to_load(tmp_path: Path) -> None:
    for name, likeness in (("ada", "person"), ("mira", "none")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "avatar.yaml").write_text(MANIFEST + likeness)
    with pytest.raises(ConsentMissing):
        load_avatar(tmp_path, "ada")
    assert [avatar.name for avatar in list_avatars(tmp_path)] == ["mira"]
    consent.save(tmp_path / "ada", GIVEN.model_copy(update={"expires": None}))
    assert load_avatar(tmp_path, "ada").likeness == "person"
    consent.save(tmp_path / "ada", GIVEN.model_copy(update={"withdrawn": date.today()}))
    with pytest.raises(ConsentMissing, match="withdrew"):
        load_avatar(tmp_path, "ada")


def test_the_gateway_refuses_it_as_forbidden() -> None:
    assert status_of(ConsentMissing("x")) == 403


def test_the_default_avatars_are_like_nobody() -> None:
    for name in ("mira", "theo"):
        assert load_avatar(REPOSITORY / "avatars", name).likeness == "none"


@pytest.mark.parametrize("module", ["training.sda.still", "training.animated.still"])
def test_a_photo_is_not_even_opened_without_consent(tmp_path: Path, module: str) -> None:
    still = importlib.import_module(module)
    with pytest.raises(ConsentMissing, match="no consent record for 'ada'"):
        still.main("ada", photo=tmp_path / "missing.jpg", avatars=tmp_path)


def test_the_commands_write_show_and_withdraw(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        return CliRunner().invoke(app, ["consent", *words, "--avatars", str(tmp_path)]).stdout

    told = (
        "--person",
        "Ada Example",
        "--purpose",
        "face",
        "--evidence",
        "letter",
        "--statement",
        GIVEN.statement,
    )
    assert "face: holds today" in run("record", "ada", *told)
    assert consent.require(tmp_path / "ada", "face").person == "Ada Example"
    assert "Ada Example" in run("show", "ada")
    assert "withdrew their consent" in run("withdraw", "ada")
    bad = CliRunner().invoke(
        app, ["consent", "record", "ada", *told[:-1], "short", "--avatars", str(tmp_path)]
    )
    assert bad.exit_code != 0 and "statement" in str(bad.exception)
