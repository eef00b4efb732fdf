"""Who speaks."""

from pathlib import Path

import pytest

from parley.errors import BadRequest, ConfigError, EngineUnavailable, UnknownAvatar
from services.tts.config import TtsSettings
from services.tts.engines import load
from services.tts.engines.embedded import EmbeddedEngine
from services.tts.engines.fake import FakeEngine
from services.tts.shaping import TARGET_DBFS, active_dbfs
from services.tts.voices import Casting

MANIFEST = """
title: Ann
description: Somebody.
voice: {engine: fake, voice: high, speed: 1.25}
lexicon: {ann: AE N}
"""


@pytest.fixture
def avatars(tmp_path: Path) -> Path:
    for name, manifest in {"ann": MANIFEST, "bob": MANIFEST.replace("fake", "flite")}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "avatar.yaml").write_text(manifest, encoding="utf-8")
    return tmp_path


def test_the_manifest_decides(avatars: Path) -> None:
    speaker = Casting(FakeEngine(), avatars).speaker("ann")
    assert (speaker.voice, speaker.speed) == ("high", 1.25)
    assert speaker.lexicon.mark("Ann") == "[AE1 N]"


def test_a_named_voice_and_speed_win(avatars: Path) -> None:
    speaker = Casting(FakeEngine(), avatars).speaker("ann", voice="low", speed=0.5)
    assert (speaker.voice, speaker.speed) == ("low", 0.5)


def test_an_engine_chosen_for_all_speaks_for_all(avatars: Path) -> None:
    assert Casting(FakeEngine(), avatars).speaker("bob").voice == "low"


def test_the_embedded_engine_routes_and_names_what_is_missing(avatars: Path) -> None:
    engine = EmbeddedEngine({"fake": FakeEngine()}, {"flite": "libflite.so.1 is not installed."})
    casting = Casting(engine, avatars)
    assert casting.speaker("ann").voice == "fake/high"
    assert casting.speaker(voice="low").voice == "fake/low"
    with pytest.raises(EngineUnavailable, match="apt install flite"):
        casting.speaker("bob")
    casting.warm_up()  # one missing voice does not keep the service from starting
    with pytest.raises(EngineUnavailable, match="nothing"):
        EmbeddedEngine({}, {"flite": "nothing"})


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"avatar": "nobody"}, UnknownAvatar),
        ({"voice": "nobody"}, BadRequest),
        ({}, BadRequest),
        ({"voice": "low", "speed": 9.0}, BadRequest),
    ],
)
def test_nonsense_is_refused(avatars: Path, arguments: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        Casting(FakeEngine(), avatars).speaker(**arguments)  # type: ignore[arg-type]


def test_every_voice_is_brought_to_one_loudness(avatars: Path) -> None:
    engine = FakeEngine()
    for voice in engine.voices():
        speaker = Casting(engine, avatars).speaker(voice=voice)
        for chunk in engine.synthesize("mmmmmmmm", voice=voice):
            if chunk.audio.any():
                assert active_dbfs(chunk.audio * speaker.gain) == pytest.approx(TARGET_DBFS, abs=0.5)


def test_engines_are_chosen_by_name() -> None:
    assert load("fake", TtsSettings()).name == "fake"
    with pytest.raises(ConfigError, match="embedded, festival, flite, fastpitch, coqui, fake"):
        load("siri", TtsSettings())


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_TTS_ENGINE", "flite")
    monkeypatch.setenv("PARLEY_TTS_POOL", "3")
    settings = TtsSettings()
    assert (settings.engine, settings.pool, settings.port, settings.metrics_port) == ("flite", 3, 50052, 9092)
