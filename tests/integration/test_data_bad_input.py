"""Bad recordings, a full disk and SIGKILL, with the real stages and real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from training.data import demo_bad, demo_material, languages, prove, sound
from training.data.stages import fetch, filter, pages
from training.data.workspace import Rejected, StorageStopped, Workspace
from training.ledger import entries
from training.pool import StageRun
from training.runner import Runner

pytestmark = pytest.mark.integration

REASONS = {
    "truncated.mp4": "truncated",
    "headless.mp4": "unreadable",
    "empty.mp4": "empty file",
    "letter.mp4": "unreadable",
    "short.wav": "too short",
    "no_samples.wav": "too short",
    "silent.wav": "too quiet",
    "clipped.wav": "clipped",
    "noisy.wav": "noisy",
    "four_hours.wav": "too long",
    "no_face.mp4": "no face",
    "german.mka": "wrong language",
    "spanish.mka": "wrong language",
}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("material")
    list(demo_bad.spoil(folder, np.random.default_rng(1)))
    return folder


def filtered(corpus: Path, folder: Path, config: filter.Config) -> dict[str, tuple[str, str]]:
    sources = [fetch_source(folder)]
    stages = [StageRun(pages, pages.Config()), StageRun(fetch, fetch.Config()), StageRun(filter, config)]
    runner = Runner(corpus, stages, lambda: fetch.items(sources))
    runner.run()
    names = {stages[2].key(row): Path(row["file"]).name for row in runner.rows("fetch")}
    return {names[e["key"]]: (e["status"], e["reason"].partition(":")[0]) for e in entries(corpus, "filter")}


def fetch_source(folder: Path):
    from training.data.subject import Source

    return Source(path=folder, licence="l", consent="c")


def test_every_bad_recording_is_a_row_with_its_reason(tmp_path, material):
    ends = filtered(tmp_path, material, filter.Config(max_h=3))
    for name, reason in REASONS.items():
        assert ends[name] == ("rejected", reason), name
    # A variable frame rate is no fault, and music is found out by the next stage.
    assert ends["uneven.mp4"][0] == "done" and ends["music.wav"][0] == "done"


def test_sound_without_pictures_is_turned_down_only_where_a_face_is_required(tmp_path, material):
    item = {"id": "x", "title": "t", "url": "u", "licence": "l", "consent": "c"}
    item["file"] = str(material / "music.wav")
    (row,) = filter.run(item, filter.Config(), Workspace(tmp_path, "ab" * 16))
    assert row["video"] == "" and row["scenes"] == []
    with pytest.raises(Rejected, match="no pictures"):
        filter.run(item, filter.Config(face="required"), Workspace(tmp_path, "ab" * 16))
    with pytest.raises(Rejected, match="wrong language: de"):
        filter.run(item | {"language": "de"}, filter.Config(), Workspace(tmp_path, "ab" * 16))


def test_a_recording_that_does_not_name_its_language_is_listened_to(tmp_path, material, monkeypatch):
    heard = []

    class Ears:
        def __init__(self, model: str, **options: object) -> None:
            assert model == "small"

        def detect_language(self, audio: np.ndarray, **options: object) -> tuple[str, float, list[object]]:
            heard.append(len(audio) / languages.RATE_HZ)
            return ("de", 0.9 if len(heard) == 1 else 0.4, [])

    monkeypatch.setattr("faster_whisper.WhisperModel", Ears)
    item = {"id": "x", "title": "t", "url": "u", "licence": "l", "consent": "c"}
    item["file"] = str(material / "music.wav")
    config = filter.Config(language_model="small", face="ignored")
    with pytest.raises(Rejected, match="wrong language: de, as it sounds"):
        filter.run(item, config, Workspace(tmp_path, "ab" * 16))
    assert heard == [pytest.approx(12.0, abs=0.01)]
    assert len(filter.run(item, config, Workspace(tmp_path, "ab" * 16))) == 1  # not sure enough
    filter.run(item | {"language": "en"}, config, Workspace(tmp_path, "ab" * 16))
    assert len(heard) == 2
    languages._whisper.cache_clear()


def test_four_hours_take_no_more_memory_than_a_minute(tmp_path, material):
    code = (
        "import resource, sys; from pathlib import Path; from training.data import sound;"
        "a = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "seconds, _ = sound.extract(Path(sys.argv[1]), Path('/dev/null'));"
        "print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - a)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(material / "four_hours.wav")],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, grown_kb = ran.stdout.split()
    assert float(seconds) == pytest.approx(4 * 3600, rel=1e-3)
    assert int(grown_kb) < 60_000


def test_a_disk_that_fills_up_while_sound_is_written_stops_clearly_and_leaves_no_half_file(
    tmp_path, material, monkeypatch
):
    def full(path: Path, out: Path) -> tuple[float, sound.Levels]:
        out.write_bytes(bytes(1000))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sound, "extract", full)
    with pytest.raises(StorageStopped, match="it goes on here"):
        filtered(tmp_path, material, filter.Config(max_h=3))
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
    monkeypatch.undo()
    assert len(filtered(tmp_path, material, filter.Config(max_h=3))) >= len(REASONS)


def test_a_run_killed_twice_ends_as_if_it_had_not_been(tmp_path):
    """The real command over real recordings, up to the speakers."""
    folder = tmp_path / "material"
    demo_material.build(folder, pictures=False, bad=False)
    results = []
    for name, kills in (("whole", []), ("killed", [2.5, 4.0])):
        config = tmp_path / f"{name}.yaml"
        subject = {
            "name": name,
            "corpus": str(tmp_path / name),
            "sources": [{"path": str(folder), "exclude": ["reference/*"], "licence": "l", "consent": "c"}],
            "stages": {"speakers": {"reference": str(folder / "reference" / "target.wav")}},
        }
        config.write_text(yaml.safe_dump(subject))
        command = [sys.executable, "-c", "from parley.cli.data import app; app()"]
        command += ["run", str(config), "--until", "cut", "--workers", "0"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        for seconds in kills:
            process = subprocess.Popen(
                command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            process.wait()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        results.append(prove.result(tmp_path / name))
        assert prove.repeated(tmp_path / name) == 0
    assert results[0] == results[1]
    assert json.loads((folder / "truth.json").read_text())["target"] == "slt"
