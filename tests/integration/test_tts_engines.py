"""The real voices: they speak, they say when which phone ends, and nothing gets the better of them."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from parley.engines import Audio, SpeechChunk, TtsEngine
from parley.errors import EngineUnavailable, ServiceUnavailable
from parley.media.audio import pcm16_to_float
from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.bench import SENTENCES, Listener, spoken, word_errors
from services.tts.config import TtsSettings
from services.tts.engines import ClosableTtsEngine, festival_process, load
from services.tts.engines.festival import FestivalEngine
from services.tts.engines.festival_process import FestivalProcess, Refused
from services.tts.engines.phones import CONSONANTS, VOWELS
from services.tts.pacing import MAX_STRETCH_CHARS, Pacer
from services.tts.shaping import active_dbfs
from services.tts.text import normalize
from services.tts.voices import Casting, Speaker

pytestmark = pytest.mark.integration

VOICES = ("festival/slt", "flite/rms", "flite/slt", "flite/awb", "flite/kal16")
HOSTILE = (
    '"); (system "touch {canary}") (quit) ("',
    "(audio_mode 'close) (exit)",
    "\\",
    "`touch {canary}` $(touch {canary}) ; touch {canary}",
    "\x00\x01\x1b[2J\x7f",
    "<speak><audio src='file:///etc/passwd'/></speak>",
    "a" * 5000,
    "bcdfghjklmnpqrstvwxz" * 20,
    "🙂🙃👍",
    "Ελληνικά, русский, 日本語, العربية!",
    "' ' ' ' '''",
    "[AA1 [] ]] [[IH0]] [ZZ9]",
    "- -- --- ... !!! ??? ,,,",
    "word " * 400,
)


@pytest.fixture(scope="module")
def engine() -> Iterator[ClosableTtsEngine]:
    built = load("embedded", TtsSettings())
    yield built
    built.close()


def whole(engine: TtsEngine, text: str, voice: str, *, speed: float = 1.0) -> SpeechChunk:
    """A clause in one."""
    chunks = list(engine.synthesize(text, voice=voice, speed=speed))
    audio: Audio = np.concatenate([chunk.audio for chunk in chunks])
    return SpeechChunk(audio, [phone for chunk in chunks for phone in chunk.phones])


@pytest.mark.parametrize("voice", VOICES)
def test_speech_is_there(engine: TtsEngine, voice: str) -> None:
    said = whole(engine, "Hello there, this is a test of my voice.", voice)
    assert said.audio.dtype == np.float32
    assert 2.0 < len(said.audio) / SAMPLE_RATE_HZ < 4.5
    assert -35 < active_dbfs(said.audio) < -10
    ends = [phone.end for phone in said.phones]
    assert ends == sorted(ends)
    assert ends[-1] == pytest.approx(len(said.audio), abs=0.03 * SAMPLE_RATE_HZ)
    symbols = [phone.symbol for phone in said.phones]
    assert set(symbols) <= (VOWELS | CONSONANTS | {"pau"}) - {"ax"}
    assert "".join(symbols).startswith("pauhhahlow")


@pytest.mark.parametrize("voice", VOICES)
def test_vowels_sound_where_the_phones_say(engine: TtsEngine, voice: str) -> None:
    said = whole(engine, "Ma, may, me, my, more, moo.", voice)
    inside, outside, start = [], [], 0
    for phone in said.phones:
        stretch = said.audio[start : phone.end].astype(np.float64)
        if len(stretch):
            power = float((stretch**2).mean())
            (inside if phone.symbol in VOWELS else outside if phone.symbol == "pau" else []).append(power)
        start = phone.end
    assert np.median(inside) > 100 * np.median(outside)


@pytest.mark.parametrize("voice", VOICES)
def test_the_same_clause_gives_the_same_samples(engine: TtsEngine, voice: str) -> None:
    text = "Some things should never change, should they?"
    first = whole(engine, text, voice)
    whole(engine, "Something else in between.", voice)
    with ThreadPoolExecutor(4) as threads:
        for again in threads.map(lambda _: whole(engine, text, voice), range(8)):
            np.testing.assert_array_equal(again.audio, first.audio)
            assert again.phones == first.phones


@pytest.mark.parametrize("voice", VOICES)
def test_speed(engine: TtsEngine, voice: str) -> None:
    text = "How quickly can you say this sentence?"
    slow, usual, fast = (len(whole(engine, text, voice, speed=s).audio) for s in (0.7, 1.0, 1.5))
    assert slow > 1.2 * usual
    assert fast < 0.8 * usual
    assert len(whole(engine, text, voice).audio) == usual


@pytest.mark.parametrize("voice", VOICES)
def test_pronunciations(engine: TtsEngine, voice: str) -> None:
    for _ in range(2):
        said = whole(engine, "Ask [M IH1 R AH0] and [P AA1 R L IY0] now.", voice)
        phones = " ".join(phone.symbol for phone in said.phones if phone.symbol != "pau")
        assert "m ih r ah" in phones
        assert "p aa r l iy" in phones


@pytest.mark.parametrize("voice", ["festival/slt", "flite/rms"])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("raw", [False, True], ids=["normalised", "raw"])
def test_hostile_text(engine: TtsEngine, voice: str, text: str, raw: bool, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    text = text.replace("{canary}", str(canary))
    clause = (text if raw else normalize(text))[:MAX_STRETCH_CHARS]
    for chunk in engine.synthesize(clause, voice=voice):
        assert np.isfinite(chunk.audio).all()
    assert not canary.exists()
    assert len(whole(engine, "Still here.", voice).audio) > 6000


def test_festival_answers_nonsense_with_an_error() -> None:
    process = FestivalProcess()
    try:
        with pytest.raises(Refused):
            process.say("nobody", "hello", speed=1.0)
        assert len(process.say("slt", "hello", speed=1.0).audio)
    finally:
        process.close()
        process.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)  # ended and waited for: no zombie


def children() -> list[int]:
    """The festival processes that this process started."""
    out = subprocess.run(
        ["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=False
    ).stdout
    return [int(line.split()[0]) for line in out.splitlines() if "festival" in line]


@pytest.fixture
def festival() -> Iterator[FestivalEngine]:
    built = FestivalEngine(2)
    yield built
    built.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_dead_and_hung_processes_are_replaced(
    festival: FestivalEngine, how: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(festival_process, "ANSWER_S", 1.0)
    before = whole(festival, "Are you well?", "slt")
    known = set(children())
    for pid in known:
        os.kill(pid, how)
    # Both of the pool are gone: a clause may meet both before it gets a new one.
    for _ in range(2):
        try:
            after = whole(festival, "Are you well?", "slt")
        except ServiceUnavailable:
            continue
        break
    np.testing.assert_array_equal(after.audio, before.audio)
    assert not all(pid in children() for pid in known)


def test_closing_ends_every_process() -> None:
    known = set(children())
    built = FestivalEngine(2)
    started = set(children()) - known
    assert len(started) == 2
    built.close()
    assert not started & set(children())


def test_busy_festivals_are_waited_for(festival: FestivalEngine) -> None:
    with ThreadPoolExecutor(8) as threads:
        lengths = set(
            threads.map(lambda _: len(whole(festival, "One at a time, please.", "slt").audio), range(8))
        )
    assert len(lengths) == 1


def test_a_missing_program_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EngineUnavailable, match="apt install festival"):
        FestivalEngine(1)


@pytest.mark.parametrize("voice", ["festival/nobody", "flite/nobody", "coqui/any"])
def test_a_missing_voice_names_the_choice(engine: TtsEngine, voice: str) -> None:
    with pytest.raises(EngineUnavailable, match=r"Choose one of"):
        list(engine.synthesize("Hello.", voice=voice))


@pytest.mark.parametrize("voice", VOICES)
def test_a_reply_has_one_loudness_no_dc_and_no_silence_in_front(engine: TtsEngine, voice: str) -> None:
    speaker: Speaker = Casting(engine, Path("avatars")).speaker(voice=voice)
    pacer = Pacer(engine, speaker)
    pieces = [*pacer.clause(1, "The birch canoe slid on the planks,", last=False)]
    pieces += pacer.clause(2, " and the boy was there when the sun rose.", last=True)
    audio = pcm16_to_float(b"".join(piece.pcm for piece in pieces))
    assert active_dbfs(audio) == pytest.approx(-20, abs=2.5)
    assert abs(float(audio.mean())) < 1e-3
    assert np.abs(audio).max() <= 0.95
    assert np.flatnonzero(np.abs(audio) > 0.006)[0] < 0.15 * SAMPLE_RATE_HZ


@pytest.mark.parametrize("voice", ["festival/slt", "flite/rms"])
def test_a_recogniser_understands_the_avatars_voices(engine: TtsEngine, voice: str) -> None:
    speaker = Casting(engine, Path("avatars")).speaker(voice=voice)
    listener = Listener()
    errors = words = 0
    for sentence in SENTENCES[:8]:
        wrong, count = word_errors(sentence.strip("."), listener.hear(spoken(engine, speaker, sentence)))
        errors, words = errors + wrong, words + count
    # Unrelated words in a general language model: three of four right is what a small recogniser can do.
    assert errors / words < 0.4
