from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parley.errors import EngineUnavailable
from services.asr.config import AsrSettings
from services.asr.engines import load
from services.asr.engines.whisper import WhisperEngine, load_whisper

WORD_S = 0.3
SCRIPT = [f"word{n}" for n in range(200)]


def segment(words: list[tuple[float, str]], **signs: float) -> SimpleNamespace:
    return SimpleNamespace(
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
        begin = float(audio[0]) * 1000
        first = int(np.ceil(begin / WORD_S - 1e-4))
        last = int((begin + len(audio) / 16_000) / WORD_S + 1e-4)
        heard = [(n * WORD_S - begin, SCRIPT[n]) for n in range(first, last)]
        if heard and options["beam_size"] == 1:
            heard[-1] = (heard[-1][0], "uh")
        return iter([segment(heard)]), None


def ramp(seconds: float, start: float = 0.0) -> np.ndarray:
    return ((start + np.arange(round(seconds * 16_000)) / 16_000) / 1000).astype(np.float32)


def test_stable_prefix_grows_and_never_changes() -> None:
    stream = WhisperEngine(ScriptedWhisper(), model="scripted").open(language="en-GB", hotwords=[])
    stable = ""
    for n in range(10):
        stream.accept(ramp(0.3, n * 0.3))
        hypothesis = stream.partial()
        assert hypothesis.text[: hypothesis.stable_chars].startswith(stable)
        stable = hypothesis.text[: hypothesis.stable_chars]
    assert stable == " ".join(SCRIPT[:8])
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
    assert stream.finalize().text == "word0 word1 word2"
    decodes = len(whisper.windows)
    assert stream.finalize().text == "word0 word1 word2"
    assert len(whisper.windows) == decodes  # nothing new was heard
    stream.accept(ramp(0.6, 0.9))
    assert stream.finalize().text == "word0 word1 word2 word3 word4"
    stream.reset()
    assert stream.finalize().text == ""


def test_words_to_expect_are_handed_over() -> None:
    whisper = ScriptedWhisper()
    engine = WhisperEngine(whisper, model="scripted")
    stream = engine.open(language="de-AT", hotwords=["Parley"], lexicon={"oolong": "UW L AO NG"})
    stream.accept(ramp(1))
    stream.partial()
    assert whisper.options["hotwords"] == "Parley oolong"
    assert whisper.options["language"] == "de"


@pytest.mark.parametrize(
    "signs",
    [
        {"no_speech_prob": 0.9, "avg_logprob": -1.2},
        {"compression_ratio": 4.0},
        {"avg_logprob": -2.0},
    ],
)
def test_what_whisper_makes_up_is_dropped(signs: dict[str, float]) -> None:
    class Dreaming:
        def transcribe(self, audio: np.ndarray, **options: Any) -> tuple[Iterable[Any], None]:
            good, padding = segment([(0.0, "hello")]), segment([(2.5, "later")])
            return iter([good, segment([(0.4, "Thanks for watching!")], **signs), padding]), None

    stream = WhisperEngine(Dreaming(), model="dreaming").open(language="", hotwords=[])
    stream.accept(ramp(1.0))
    assert stream.finalize().text == "hello"


def test_missing_weights_name_the_folder_and_the_fix(tmp_path: Path) -> None:
    folder = tmp_path / "asr" / "current"
    with pytest.raises(EngineUnavailable) as caught:
        load("whisper", AsrSettings(models_dir=tmp_path))
    assert str(folder) in caught.value.message
    assert "ct2-transformers-converter" in caught.value.fix


def test_broken_weights_are_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"not a model")
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        load_whisper(str(tmp_path), device="cpu")
