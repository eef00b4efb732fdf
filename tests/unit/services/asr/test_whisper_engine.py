import hashlib
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faster_whisper
import numpy as np
import pytest
from tokenizers import Tokenizer, models

from parley.engines import HeardWord
from parley.errors import BadRequest, ConfigError, EngineUnavailable
from services.asr.config import AsrSettings
from services.asr.engines import guards, installed_whisper, load, whisper_model
from services.asr.engines.whisper import WhisperEngine, load_whisper

WORD_S = 0.3
# Words that do not compress as those of a decoder that goes in circles do.
SCRIPT = [hashlib.md5(bytes([n])).hexdigest()[:6] for n in range(200)]


def segment(words: list[tuple[float, str]], seek: int = 0, **signs: float) -> SimpleNamespace:
    return SimpleNamespace(
        seek=seek,
        words=[SimpleNamespace(start=t, end=t + WORD_S, word=f" {w}", probability=0.8) for t, w in words],
        **{"no_speech_prob": 0.0, "avg_logprob": -0.3, "compression_ratio": 1.2, **signs},
    )


class ScriptedWhisper:
    """Hears the next word of SCRIPT in every 300 ms; the audio is a ramp whose value tells the time.

    The last word of a window is misheard, as half words are.
    """

    def __init__(self) -> None:
        self.windows: list[int] = []
        self.options: dict[str, Any] = {}

    def transcribe(self, audio: np.ndarray, **options: Any) -> tuple[Iterable[Any], None]:
        self.windows.append(len(audio))
        self.options = options
        begin = (float(audio[0]) - 0.1) * 100
        first = int(np.ceil(begin / WORD_S - 1e-3))
        last = int((begin + len(audio) / 16_000) / WORD_S + 1e-3)
        heard = [(n * WORD_S - begin, SCRIPT[n]) for n in range(first, last)]
        if heard and options["beam_size"] == 1:
            heard[-1] = (heard[-1][0], "uh")
        return iter([segment(heard)]), None


def ramp(seconds: float, start: float = 0.0) -> np.ndarray:
    return (0.1 + (start + np.arange(round(seconds * 16_000)) / 16_000) / 100).astype(np.float32)


def test_stable_prefix_grows_and_never_changes() -> None:
    stream = WhisperEngine(ScriptedWhisper(), model="scripted").open(language="en-GB", hotwords=[])
    stable = ""
    for n in range(10):
        stream.accept(ramp(0.3, n * 0.3))
        hypothesis = stream.partial()
        assert hypothesis.text[: hypothesis.stable_chars].startswith(stable)
        stable = hypothesis.text[: hypothesis.stable_chars]
    assert stable == " ".join(SCRIPT[:7]), "the last 0.8 s are not promised"
    final = stream.finalize()
    assert final.text == " ".join(SCRIPT[:10])
    assert final.words[4].start == round(4 * WORD_S * 16_000)
    assert final.confidence == pytest.approx(0.8)


def test_a_long_turn_is_decoded_in_a_bounded_window() -> None:
    whisper = ScriptedWhisper()
    stream = WhisperEngine(whisper, model="scripted").open(language="", hotwords=[])
    for n in range(100):
        stream.accept(ramp(0.3, n * 0.3))
        stream.partial()
    assert max(whisper.windows) <= 16_000 * 16
    assert stream.finalize().text == " ".join(SCRIPT[:100])


def test_finalize_then_go_on_then_finalize_covers_the_whole_turn() -> None:
    whisper = ScriptedWhisper()
    stream = WhisperEngine(whisper, model="scripted").open(language="", hotwords=[])
    stream.accept(ramp(0.9))
    stream.partial()
    assert stream.finalize().text == " ".join(SCRIPT[:3])
    decodes = len(whisper.windows)
    assert stream.finalize().text == " ".join(SCRIPT[:3])
    assert len(whisper.windows) == decodes  # nothing new was heard
    stream.accept(ramp(0.6, 0.9))
    assert stream.finalize().text == " ".join(SCRIPT[:5])
    stream.reset()
    assert stream.finalize().text == ""


def test_a_model_that_words_to_expect_mislead_is_told_none() -> None:
    whisper = ScriptedWhisper()
    stream = WhisperEngine(whisper, model="small", expects=False).open(language="en", hotwords=["matcha"])
    stream.accept(ramp(1.0))
    stream.partial()
    assert whisper.options["hotwords"] is None


def test_words_to_expect_are_handed_over() -> None:
    whisper = ScriptedWhisper()
    engine = WhisperEngine(whisper, model="scripted")
    stream = engine.open(language="de-AT", hotwords=["Parley"], lexicon={"oolong": "UW L AO NG"})
    stream.accept(ramp(1))
    stream.partial()
    assert whisper.options["hotwords"] == "Parley oolong"
    assert whisper.options["language"] == "de"


class Passes:
    """Gives these segments, one a pass, and knows how many were asked for."""

    def __init__(self, *segments: SimpleNamespace) -> None:
        self.segments, self.decoded = segments, 0

    def transcribe(self, audio: np.ndarray, **options: Any) -> tuple[Iterable[Any], None]:
        def decode() -> Iterable[Any]:
            for one in self.segments:
                self.decoded += 1
                yield one

        return decode(), None


def final(whisper: Passes, seconds: float) -> str:
    stream = WhisperEngine(whisper, model="scripted").open(language="", hotwords=[])
    stream.accept(ramp(seconds))
    return stream.finalize().text


@pytest.mark.parametrize("signs", [{"no_speech_prob": 0.9, "avg_logprob": -1.2}, {"avg_logprob": -2.0}])
def test_what_whisper_makes_up_out_of_nothing_is_dropped(signs: dict[str, float]) -> None:
    assert final(Passes(segment([(0.4, "Thanks for watching!")], **signs)), 1.0) == ""


def test_words_after_the_last_sound_are_dropped() -> None:
    assert final(Passes(segment([(0.0, "hello"), (2.5, "later")])), 1.0) == "hello"


def test_a_window_is_heard_once_and_what_is_left_after_its_last_word_is_not_heard_again() -> None:
    # faster-whisper's second pass over the tail put "good morning" after every other "can you sleep".
    whisper = Passes(segment([(0.0, "hello")]), segment([(0.4, "again")], seek=40))
    assert final(whisper, 1.0) == "hello"
    assert whisper.decoded == 1


def test_a_recording_of_more_than_thirty_seconds_is_heard_to_its_end() -> None:
    first, second = segment([(0.0, "hello")]), segment([(35.0, "there")], seek=2920)
    whisper = Passes(first, second, segment([(39.5, "again")], seek=3950))
    assert final(whisper, 40.0) == "hello there"
    assert whisper.decoded == 2


def test_silence_is_not_even_looked_at() -> None:
    whisper = ScriptedWhisper()
    stream = WhisperEngine(whisper, model="scripted").open(language="", hotwords=[])
    stream.accept(np.full(32_000, 0.0005, np.float32))
    assert stream.partial().text == stream.finalize().text == ""
    assert whisper.windows == []


def test_words_heard_in_the_silence_after_the_sound_are_dropped() -> None:
    whisper = ScriptedWhisper()
    stream = WhisperEngine(whisper, model="scripted").open(language="", hotwords=[])
    stream.accept(np.concatenate([ramp(0.9), np.zeros(32_000, np.float32)]))
    assert stream.finalize().text == " ".join(SCRIPT[:5])  # word times are good to 0.4 s


def spoken(text: str) -> list[HeardWord]:
    return [HeardWord(word, n * 100, n * 100 + 100, 0.9) for n, word in enumerate(text.split())]


@pytest.mark.parametrize(
    ("heard", "kept"),
    [
        ("so thank you thank you thank you thank you thank", "so thank you"),
        ("Well. Well, well well, well", "Well."),
        ("no no no I mean it", "no no no I mean it"),
        ("row row row your boat row row row your boat", "row row row your boat row row row your boat"),
        (" ".join(["a b c d e f g h"] * 12), ""),
    ],
)
def test_a_decoder_that_goes_in_circles_is_cut_off(heard: str, kept: str) -> None:
    assert " ".join(word.text for word in guards.unlooped(spoken(heard))) == kept


def test_a_language_that_the_model_lacks_is_refused_when_a_session_opens() -> None:
    engine = WhisperEngine(ScriptedWhisper(), model="small.en", languages=frozenset({"en"}))
    engine.open(language="en-GB", hotwords=[])
    engine.open(language="", hotwords=[])
    with pytest.raises(BadRequest, match=r"small\.en does not understand 'de-AT'"):
        engine.open(language="de-AT", hotwords=[])


def test_no_language_means_that_it_is_detected() -> None:
    whisper = ScriptedWhisper()
    stream = WhisperEngine(whisper, model="large-v3").open(language="", hotwords=[])
    stream.accept(ramp(1))
    stream.finalize()
    assert whisper.options["language"] is None


def test_missing_weights_name_the_folder_and_the_fix(tmp_path: Path) -> None:
    folder = tmp_path / "asr" / "current"
    with pytest.raises(EngineUnavailable) as caught:
        load("whisper", AsrSettings(models_dir=tmp_path))
    assert str(folder) in caught.value.message
    assert "ct2-transformers-converter" in caught.value.fix


def whisper_folder(path: Path) -> Path:
    path.mkdir()
    for name in ("config.json", "vocabulary.json", "preprocessor_config.json"):
        (path / name).write_text("{}")
    Tokenizer(models.BPE()).save(str(path / "tokenizer.json"))
    (path / "model.bin").write_bytes(b"not a model")
    return path


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.json"])
def test_a_missing_file_is_named_with_the_command_that_brings_it(tmp_path: Path, name: str) -> None:
    folder = whisper_folder(tmp_path / "w")
    (folder / name).unlink()
    with pytest.raises(EngineUnavailable, match=rf"{name} is missing") as caught:
        load_whisper(str(folder), device="cpu")
    assert f"--output_dir {folder}" in caught.value.fix


def test_broken_files_are_named(tmp_path: Path) -> None:
    folder = whisper_folder(tmp_path / "w")
    with pytest.raises(EngineUnavailable, match=rf"{folder / 'model.bin'} is broken"):
        load_whisper(str(folder), device="cpu")
    (folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(EngineUnavailable, match=rf"{folder / 'preprocessor_config.json'} is broken"):
        load_whisper(str(folder), device="cpu")


def test_a_name_that_the_hub_does_not_give_tells_how_to_fetch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*args: object, **options: object) -> None:
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr(faster_whisper, "WhisperModel", unreachable)
    with pytest.raises(EngineUnavailable, match="no route to the hub") as caught:
        load_whisper("small.en", device="cpu")
    assert "hf download Systran/faster-whisper-small.en" in caught.value.fix


def test_what_was_promoted_is_what_is_served(tmp_path: Path) -> None:
    settings = AsrSettings(models_dir=tmp_path)
    assert installed_whisper(settings) == ""
    (tmp_path / "asr" / "current").mkdir(parents=True)
    assert installed_whisper(settings) == str(tmp_path / "asr" / "current")
    (tmp_path / "asr" / "manifest.json").write_text('{"current": {"whisper": "ada-2"}, "models": {}}')
    assert installed_whisper(settings) == str(tmp_path / "asr" / "ada-2")
    (tmp_path / "asr" / "manifest.json").write_text("{")
    with pytest.raises(ConfigError, match=r"manifest\.json cannot be read"):
        installed_whisper(settings)


def test_the_arithmetic_follows_the_device_unless_it_is_set() -> None:
    assert whisper_model.compute_type("auto", "cpu") == "int8"
    assert whisper_model.compute_type("auto", "cuda") == "float16"
    assert whisper_model.compute_type("float32", "cpu") == "float32"
