from pathlib import Path

import numpy as np
import pytest

from parley.errors import EngineUnavailable
from parley.media.audio import resample
from parley.media.clock import SAMPLE_RATE_HZ
from services.asr.config import AsrSettings
from services.asr.engines import SPHINX_MODEL, SPHINX_TRANSFORM, load
from services.asr.engines.sphinx import SphinxEngine
from services.asr.transcribe import transcribe
from tests.unit.services.asr.speech import EAR_HZ, recorded
from training.asr import mllr
from training.asr.clips import Clip

SAID = {"something": "go somewhere and do something", "goforward": "go forward ten meters"}


def clips() -> list[Clip]:
    return [Clip(resample(recorded(name), EAR_HZ, SAMPLE_RATE_HZ), text) for name, text in SAID.items()]


def test_a_voice_is_adapted_to_and_still_understood(tmp_path: Path) -> None:
    transform = mllr.estimate(clips(), {}, tmp_path / "work")
    engine = SphinxEngine(warm=0, transform=transform)
    assert engine.model.endswith("for one voice")
    heard = transcribe(engine, recorded("something"), EAR_HZ)
    assert heard.text == SAID["something"]
    plain = transcribe(SphinxEngine(warm=0), recorded("something"), EAR_HZ)
    assert heard.confidence != plain.confidence  # it was applied


def test_missing_tools_are_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mllr, "_NEEDED", ("sphinx_fe_of_nobody",))
    with pytest.raises(EngineUnavailable, match="sphinx_fe_of_nobody") as caught:
        mllr.estimate(clips(), {}, tmp_path / "work")
    assert "apt-get install sphinxtrain" in caught.value.fix


def test_mixture_weights_are_those_of_the_decoder(tmp_path: Path) -> None:
    title = b"a title\0"
    logs = np.array([[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]], np.uint8)  # [streams, 3, 2]
    counts = np.array([3, 2], "<u4").tobytes()
    header = len(title).to_bytes(4, "little") + title + bytes(4)
    (tmp_path / "sendump").write_bytes(header + counts + logs.tobytes())
    mllr._write_weights(tmp_path / "sendump", tmp_path / "weights")
    data = (tmp_path / "weights").read_bytes().partition(b"endhdr\n")[2]
    assert np.frombuffer(data[:20], "<u4").tolist() == [0x11223344, 2, 2, 3, 12]
    weights = np.frombuffer(data[20:], "<f4").reshape(2, 2, 3)
    assert weights[0, 0, 0] == 1
    assert weights[1, 0, 2] == pytest.approx(1.0001 ** (-5 * 1024), rel=1e-5)
    assert weights[0, 1, 1] == pytest.approx(1.0001 ** (-8 * 1024), rel=1e-5)


def test_a_promoted_transform_is_served_with_its_language_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "asr" / "one"
    folder.mkdir(parents=True)
    (tmp_path / "asr" / "manifest.json").write_text('{"current": {"sphinx": "one"}, "models": {}}')
    made: dict[str, Path | None] = {}

    def engine(*, warm: int, language_model: Path | None, transform: Path | None) -> str:
        made.update(lm=language_model, transform=transform)
        return "engine"

    monkeypatch.setattr("services.asr.engines.sphinx.SphinxEngine", engine)
    load("sphinx", AsrSettings(models_dir=tmp_path, warm=0))
    assert made == {"lm": folder / SPHINX_MODEL, "transform": None}
    (folder / SPHINX_TRANSFORM).touch()
    load("sphinx", AsrSettings(models_dir=tmp_path, warm=0))
    assert made["transform"] == folder / SPHINX_TRANSFORM
