import json
import wave
from pathlib import Path

import numpy as np
import pytest

from parley.media.clock import FRAME_SAMPLES
from parley.media.video import write_mp4
from training.sda import faces, prepare


def write_clip(folder: Path, *, frames: int = 30, level: float = 0.2, promised: int | None = None) -> Path:
    pictures = [(i * FRAME_SAMPLES, np.full((64, 64, 3), 90, np.uint8)) for i in range(frames)]
    write_mp4(folder / "000001.mp4", pictures, b"")
    tone = (level * 32767 * np.sin(np.arange(frames * FRAME_SAMPLES) * 0.1)).astype("<i2")
    with wave.open(str(folder / "000001.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        file.writeframes(tone.tobytes())
    told = {"frames": promised or frames, "parameters": [[0.0] * 15] * frames}
    told |= {"split": "train", "identity": "seed-1", "voice": "tone", "text": ""}
    path = folder / "000001.json"
    path.write_text(json.dumps(told))
    return path


def nothing_moves(pictures, size):
    count = len(list(pictures))
    squares, landmarks = np.zeros((count, size, size, 3), np.uint8), np.zeros((count, 44, 2), np.float32)
    return faces.Aligned(squares, landmarks, np.zeros((count, 2, 3)), np.zeros((count, 478, 2), np.float32))


def test_five_points_are_brought_to_their_places_whatever_turn_and_size():
    turn, scale, shift = 0.3, 240.0, np.array([37.0, -12.0])
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = (faces.TEMPLATE @ spin.T * scale + shift).astype(np.float32)
    m = faces.matrix(faces.similarity(points), 128)
    np.testing.assert_allclose(points @ m[:, :2].T + m[:, 2], faces.TEMPLATE * 128, atol=1e-2)


def test_smoothing_over_time_leaves_what_is_still_and_follows_a_drift():
    still = np.tile([0.01, 0.0, 0.2, 0.3], (20, 1))
    np.testing.assert_allclose(faces.steadied(still), still, atol=1e-12)
    drift = np.linspace(0, 1, 40)[:, None].repeat(4, 1)
    np.testing.assert_allclose(faces.steadied(drift)[8:-8], drift[8:-8], atol=1e-9)
    shaky = still + 0.01 * np.random.default_rng(1).standard_normal(still.shape)
    assert faces.steadied(shaky).std(0).max() < 0.6 * shaky.std(0).max()


def test_regions_lie_on_whole_pixels_at_every_size():
    for size in (32, 64, 128, 256):
        for region in (faces.MOUTH, faces.EYES):
            rows, columns = faces.box(region, size)
            assert (rows.stop - rows.start) / size == region[3] - region[1]
            assert (columns.stop - columns.start) / size == region[2] - region[0]


def test_a_clip_becomes_material(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prepare, "aligned", nothing_moves)
    assert prepare.prepare_clip(write_clip(tmp_path), tmp_path, 32) == 30
    with np.load(tmp_path / "000001.npz") as made:
        assert len(made["pcm"]) == 30 * FRAME_SAMPLES and made["parameters"].shape == (30, 15)
    assert np.load(tmp_path / "000001.npy").shape == (30, 32, 32, 3)


def test_a_silent_clip_is_refused_by_name(tmp_path: Path):
    with pytest.raises(prepare.SilentClip):
        prepare.prepare_clip(write_clip(tmp_path, level=0.0), tmp_path, 32)


@pytest.mark.parametrize("break_it", ["wav", "mp4", "missing", "count"])
def test_a_broken_clip_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, break_it: str):
    about = write_clip(tmp_path, promised=31 if break_it == "count" else None)
    monkeypatch.setattr(prepare, "aligned", nothing_moves)
    if break_it in ("wav", "mp4"):
        about.with_suffix(f".{break_it}").write_bytes(b"nothing of the kind")
    elif break_it == "missing":
        about.with_suffix(".mp4").unlink()
    with pytest.raises(prepare.BrokenClip):
        prepare.prepare_clip(about, tmp_path, 32)
    assert not list(tmp_path.glob("*.npz"))


def test_a_run_goes_on_past_refused_clips_and_does_not_look_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clips, out, looked = tmp_path / "clips", tmp_path / "out", []
    clips.mkdir()
    for number in range(3):
        (clips / f"{number:06d}.json").write_text("{}")

    def pretend(about: Path, folder: Path, size: int) -> int:
        looked.append(about.stem)
        if about.stem == "000001":
            raise faces.SeveralFaces("two")
        (folder / f"{about.stem}.npz").write_bytes(b"")
        return 30

    monkeypatch.setattr(prepare, "prepare_clip", pretend)
    prepare.prepare(clips, out, 32)
    prepare.prepare(clips, out, 32)
    assert looked == ["000000", "000001", "000002"]
    assert prepare.refused(out) == {"000001": "several_faces"}


class Mesh:
    """Stands in for mediapipe: as many faces as it is told."""

    def __init__(self, count: int) -> None:
        self.count = count

    def process(self, picture):
        point = type("P", (), {"x": 0.5, "y": 0.25})()
        face = type("F", (), {"landmark": [point] * 478})()
        return type("R", (), {"multi_face_landmarks": [face] * self.count or None})()


@pytest.mark.parametrize(("count", "error"), [(0, faces.NoFace), (2, faces.SeveralFaces)])
def test_no_face_and_several_faces_are_told_apart(count: int, error: type[Exception]):
    landmarker = object.__new__(faces.Landmarker)
    landmarker._mesh = Mesh(count)
    with pytest.raises(error):
        landmarker.find(np.zeros((40, 80, 3), np.uint8))


def test_landmarks_are_in_pixels():
    landmarker = object.__new__(faces.Landmarker)
    landmarker._mesh = Mesh(1)
    assert landmarker.find(np.zeros((40, 80, 3), np.uint8))[0].tolist() == [40.0, 10.0]
