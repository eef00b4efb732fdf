"""A recorded answer says what it is, and a change to it is seen."""

from pathlib import Path

import av
import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from parley.cli.main import app
from parley.errors import MediaError
from parley.media.audio import float_to_pcm16, pcm16_to_float
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.files import read_audio
from parley.provenance import credentials, watermark
from parley.provenance.manifest import verify
from parley.provenance.recording import marked, write_answer
from parley.provenance.settings import ProvenanceSettings

GREY = np.full((128, 128, 3), 120, np.uint8)


def settings(folder: Path, **changed: object) -> ProvenanceSettings:
    return ProvenanceSettings(folder=folder / "provenance", **changed)


def write(path: Path, speech, **changed: object) -> ProvenanceSettings:
    chosen = settings(path.parent, **changed)
    frames = [(i * FRAME_SAMPLES, GREY) for i in range(len(speech) // FRAME_SAMPLES)]
    pcm = float_to_pcm16(speech)
    write_answer(path, frames, pcm, avatar="mira", engines={"sda": "gan"}, settings=chosen)
    return chosen


def first_picture(path: Path):
    with av.open(str(path)) as file:
        return next(file.decode(video=0)).to_ndarray(format="rgb24")


def test_an_answer_carries_badge_manifest_and_mark(tmp_path: Path, speech):
    path = tmp_path / "answer.mp4"
    chosen = write(path, speech)
    assert first_picture(path)[-16:, :64].max() > 200
    own = credentials.load(chosen.folder)
    report = verify(path, own.root)
    assert report.state == "ours" and report.holds and not report.problems
    assert report.claims["source_type"].endswith("/trainedAlgorithmicMedia")
    assert report.claims["title"] == "answer.mp4"
    assert report.claims["answer"] == {
        "avatar": "mira",
        "engines": {"sda": "gan"},
        "badge": "AI-generated",
        "watermark": f"{own.mark:04x}",
    }
    heard = read_audio(path, SAMPLE_RATE_HZ)
    assert watermark.detect(heard).payload == own.mark
    assert verify(path).state == "other"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["answer.mp4", "provenance"]


def test_each_mark_can_be_turned_off(tmp_path: Path, speech):
    path = tmp_path / "plain.mp4"
    chosen = write(path, speech, badge="", sign=False, watermark=False)
    assert first_picture(path)[-16:, :64].max() < 140
    assert verify(path).state == "none"
    assert watermark.detect(read_audio(path, SAMPLE_RATE_HZ)).payload is None
    assert not chosen.folder.exists()


@pytest.mark.parametrize("where", ["sound or picture", "manifest", "end"])
def test_a_changed_file_is_seen(tmp_path: Path, speech, where: str):
    path = tmp_path / "answer.mp4"
    root = credentials.ensure(write(path, speech[:48_000]).folder).root
    data = bytearray(path.read_bytes())
    if where == "end":
        data += b"\0\0\0\x10mdatXXXXXXXX"
    else:
        data[
            data.find(b"mira" if where == "manifest" else b"mdat") + (0 if where == "manifest" else 3000)
        ] ^= 1
    path.write_bytes(data)
    report = verify(path, root)
    assert report.state == "broken" and not report.holds
    assert report.problems


def test_an_answer_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, speech):
    path = tmp_path / "answer.mp4"
    path.write_text("the old one")
    with pytest.raises(MediaError, match="at least one frame"):
        write_answer(path, [], b"", avatar="mira", settings=settings(tmp_path))
    assert path.read_text() == "the old one"
    with pytest.raises(MediaError, match="cannot be written"):
        write(tmp_path / "missing" / "answer.mp4", speech[:FRAME_SAMPLES], sign=False)


def test_speech_that_is_marked_is_not_marked_twice(speech):
    once = float_to_pcm16(watermark.mark(speech, 7))
    assert marked(once, 9, "parley") == once
    now = pcm16_to_float(marked(float_to_pcm16(speech), 7, "parley"))
    assert watermark.detect(now).payload == 7
    assert len(now) == len(speech)


def test_verify_prints_what_holds(tmp_path: Path, speech, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "answer.mp4"
    chosen = write(path, speech)
    monkeypatch.setenv("PARLEY_PROVENANCE_FOLDER", str(chosen.folder))
    run = CliRunner().invoke
    good = run(app, ["provenance", "verify", str(path)])
    assert good.exit_code == 0
    assert "Unchanged since it was signed, by a certificate that this installation trusts." in good.stdout
    assert "avatar mira" in good.stdout and "Watermark: " in good.stdout
    data = bytearray(path.read_bytes())
    data[data.find(b"mdat") + 3000] ^= 1
    path.write_bytes(data)
    bad = run(app, ["provenance", "verify", str(path), "--json"])
    assert bad.exit_code == 1
    told = orjson.loads(bad.stdout)
    assert told["state"] == "broken"
    assert any("bmffHash.mismatch" in problem for problem in told["problems"])
    shown = run(app, ["provenance", "init"])
    assert credentials.load(chosen.folder).fingerprint in shown.stdout


def test_a_file_that_can_hold_no_manifest_may_still_be_marked(tmp_path: Path, speech):
    path = tmp_path / "copy.mka"
    with av.open(str(path), "w", format="matroska") as file:
        stream = file.add_stream("libmp3lame", rate=SAMPLE_RATE_HZ, layout="mono")
        samples = np.frombuffer(float_to_pcm16(watermark.mark(speech, 0xBEE)), "<i2")[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        resampler = av.AudioResampler(stream.format.name, "mono", SAMPLE_RATE_HZ)
        for part in resampler.resample(frame):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    result = CliRunner().invoke(app, ["provenance", "verify", str(path)])
    assert result.exit_code == 1
    assert "There is no manifest" in result.stdout and "Watermark: 0bee" in result.stdout


def test_what_is_no_media_file_is_refused(tmp_path: Path):
    (tmp_path / "x.mp4").write_text("not a film")
    with pytest.raises(MediaError):
        verify(tmp_path / "x.mp4")
    with pytest.raises(MediaError):
        verify(tmp_path / "missing.mp4")
