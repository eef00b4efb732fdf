"""A photo, a clip of speech and a text become an avatar that talks; nothing half made is left behind."""

import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from parley import consent
from parley.avatar import Avatar
from parley.avatars import list_avatars, load_avatar
from parley.cli.main import app
from parley.consent import Consent, ConsentMissing
from parley.errors import BadRequest, MediaError
from parley.media.files import write_wav
from parley.settings import REPOSITORY
from services.tts.config import TtsSettings
from services.tts.engines import load as load_voices
from services.tts.voices import CALIBRATION
from training import enrol

PHOTO = REPOSITORY / "avatars" / "theo" / "face" / "portrait.png"
TEXT = """I was born in a lighthouse on the coast of Maine.

My favourite animal is the otter. Otters hold hands when they sleep."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    agreed = Consent(
        person="Ada Example",
        granted=date(2026, 1, 1),
        purposes=("face", "voice"),
        statement="I agree that an avatar of my face and voice is made.",
        evidence="signed letter, folder 7",
    )
    consent.save(tmp_path / "avatars" / "ada", agreed)
    (tmp_path / "ada.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


def made(folder: Path, **changes: object) -> enrol.Enrolled:
    wanted = {"photo": PHOTO, "text": folder / "ada.txt"} | changes
    return enrol.enrol("ada", folder / "avatars", **wanted)  # type: ignore[arg-type]


async def test_it_talks_of_its_text_with_its_face(folder: Path) -> None:
    clip = folder / "clip.wav"
    voices = load_voices("flite", TtsSettings())
    said = [chunk.audio for chunk in voices.synthesize(CALIBRATION, voice="awb")]
    write_wav(clip, np.concatenate(said))
    options = {"--photo": str(PHOTO), "--text": str(folder / "ada.txt"), "--speech": str(clip)}
    options["--avatars"] = str(folder / "avatars")
    shown = CliRunner().invoke(
        app,
        ["avatar", "new", "ada", *(word for option in options.items() for word in option)],
        catch_exceptions=False,
    )
    assert shown.exit_code == 0
    assert "2 notes" in shown.output and "flite/awb" in shown.output
    assert [avatar.name for avatar in list_avatars(folder / "avatars")] == ["ada"]
    async with Avatar.load("ada", avatars_dir=folder / "avatars") as ada:
        answer = await ada.answer("What is your favourite animal?")
    assert "otter" in answer.text.lower()
    mouths = np.stack([frame.picture[140:220, 90:170] for frame in answer.frames]).astype(float)
    assert mouths.std(0).max() > 10, "the mouth moves"


def test_the_likest_voice_comes_first() -> None:
    voices = load_voices("flite", TtsSettings())
    said = [chunk.audio for chunk in voices.synthesize("Rice is often served in round bowls.", voice="rms")]
    found = enrol.alike(np.concatenate(said), voices, ["slt", "rms"])
    assert [voice.name for voice in found] == ["rms", "slt"]
    assert found[0].similarity > 0.7 > found[1].similarity


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"photo": REPOSITORY / "docs" / "images" / "face" / "phones.jpg"}, MediaError, "No face"),
        ({"photo": REPOSITORY / "LICENSE"}, MediaError, "no picture"),
        ({"text": PHOTO}, BadRequest, "no text in UTF-8"),
        ({"text": Path("missing.txt")}, BadRequest, "no file"),
        ({"speech": PHOTO}, MediaError, "audio"),
    ],
)
def test_what_cannot_be_used_is_named_and_leaves_nothing(folder, changes, error, reason) -> None:
    with pytest.raises(error, match=reason):
        made(folder, **changes)
    assert list_avatars(folder / "avatars") == []
    assert sorted(path.name for path in (folder / "avatars" / "ada").iterdir()) == ["consent.yaml"]
    assert [path.name for path in (folder / "avatars").iterdir()] == ["ada"]


def test_a_short_clip_and_an_empty_text_are_refused(folder: Path) -> None:
    write_wav(folder / "short.wav", np.zeros(24_000, np.float32))
    with pytest.raises(BadRequest, match=r"1\.0 s of sound"):
        made(folder, speech=folder / "short.wav")
    (folder / "ada.txt").write_text("\n\n", encoding="utf-8")
    with pytest.raises(BadRequest, match="nothing to say"):
        made(folder)


def test_nobody_who_lists_avatars_meanwhile_meets_half_an_avatar(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "avatars" / "ada" / "face").mkdir()
    listed = []
    remove = shutil.rmtree

    def looking(path: Path, *rest: object, **options: object) -> None:
        listed.append(list_avatars(folder / "avatars"))
        remove(path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(enrol.shutil, "rmtree", looking)
    made(folder)
    assert listed[0] == [] and list_avatars(folder / "avatars")[0].name == "ada"


def test_headed_markdown_stays_as_it_is(folder: Path) -> None:
    (folder / "ada.md").write_text("# tides\n\n## spring tides\nQ: what is one\nThe highest ones.\n")
    written, notes = enrol.notes_of(folder / "ada.md", "Ada")
    assert notes == 1 and "Q: what is one" in written


def test_nobody_without_consent_and_none_twice(folder: Path) -> None:
    with pytest.raises(ConsentMissing):
        enrol.enrol("bob", folder / "avatars", photo=PHOTO, text=folder / "ada.txt")
    made(folder)
    with pytest.raises(BadRequest, match="already"):
        made(folder)
    assert load_avatar(folder / "avatars", "ada").likeness == "person"
    shown = CliRunner().invoke(
        app, ["avatar", "remove", "ada", "--yes", "--avatars", str(folder / "avatars")]
    )
    assert shown.exit_code == 0 and not (folder / "avatars" / "ada").exists()
