"""What the data tool hands over becomes training material: a drawn avatar speaks, as if filmed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parley.engines import FaceInput, pictures
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.files import write_wav
from parley.media.video import write_mp4
from parley.settings import REPOSITORY
from services.sda.engines.gan import GanEngine
from training.data.synthetic_faces import voices
from training.sda import clips
from training.sda.corpus import main, name_of, timed_phones
from training.sda.faces import KEPT
from training.sda.measured import lids

# mediapipe calls what its own protobuf has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:label:DeprecationWarning")

FRAMES = 50


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of two rows, train and test, the same video."""
    root = tmp_path_factory.mktemp("subject")
    said, phones = voices.say("flite:slt", "My mother bought a bag of apples.", np.random.default_rng(0))
    audio = np.pad(said, (0, max(0, FRAMES * FRAME_SAMPLES - len(said))))[: FRAMES * FRAME_SAMPLES]
    frames = pictures(GanEngine(REPOSITORY / "avatars").open("mira", seed=3), FaceInput(audio, last=True))
    write_mp4(root / "crop.mp4", ((i * FRAME_SAMPLES, frame) for i, frame in enumerate(frames)), b"")
    write_wav(root / "own.wav", np.concatenate([np.zeros(SAMPLE_RATE_HZ, np.float32), audio]))
    write_wav(root / "other.wav", 0.5 * audio)
    told = [
        (phone.symbol.upper(), start / SAMPLE_RATE_HZ, phone.end / SAMPLE_RATE_HZ)
        for phone, start in zip(phones, [0, *(phone.end for phone in phones)], strict=False)
        if phone.symbol != "pau" and phone.end <= len(audio)
    ]
    row: dict[str, Any] = {"audio": "own.wav", "start_s": 1.0, "speech": "other.wav", "voice": "flite/slt"}
    row |= {"text": "words", "phones": told, "crop": "crop.mp4", "frames": FRAMES}
    (root / "handover").mkdir()
    for split, stretches in (("train", [[0, 26], [26, 50]]), ("dev", []), ("test", [[10, 40]])):
        lines = [json.dumps(row | {"id": f"row-{split}", "stretches": stretches})] if stretches else []
        (root / "handover" / f"sda.{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return root


def test_each_stretch_gives_a_clip_with_either_sound(subject: Path, tmp_path: Path) -> None:
    main(subject, tmp_path, "somebody", 64)
    held_out = clips.load(tmp_path, "test", identity="somebody")
    assert [len(clip) for clip in held_out] == [30, 30]
    assert {clip.voice for clip in held_out} == {"somebody", "flite/slt"}
    own, synthetic = sorted(held_out, key=lambda clip: clip.voice == "flite/slt")
    assert np.abs(own.pcm - 2.0 * synthetic.pcm).max() <= 3 and len(own.pcm) == 30 * FRAME_SAMPLES
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.np*")}
    assert len(files) == 2 * 6

    main(subject, tmp_path, "somebody", 64)  # nothing is done twice
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.np*")} == files


def test_the_mouth_that_the_sounds_ask_for_is_in_step_with_the_lips_that_are_seen(
    subject: Path, tmp_path: Path
) -> None:
    main(subject, tmp_path, "somebody", 64)
    clip = clips.load(tmp_path, "test")[0]
    assert clip.landmarks is not None
    apart = np.linalg.norm(clip.landmarks[:, KEPT.index(13)] - clip.landmarks[:, KEPT.index(14)], axis=1)
    asked = clip.parameters[:, 0]
    in_step = {off: np.corrcoef(apart[4:-4], np.roll(asked, off)[4:-4])[0, 1] for off in range(-4, 5)}
    assert in_step[0] > 0.5 and max(in_step, key=lambda off: in_step[off]) in (-1, 0, 1)


def test_a_video_that_is_not_what_was_promised_is_refused_and_named(subject: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "other", tmp_path / "out"
    (other / "handover").mkdir(parents=True)
    for name in ("crop.mp4", "own.wav", "other.wav"):
        (other / name).symlink_to(subject / name)
    for split in ("train", "dev", "test"):
        text = (subject / "handover" / f"sda.{split}.jsonl").read_text("utf-8")
        text = text.replace(f'"frames": {FRAMES}', '"frames": 60') if split == "train" else text
        (other / "handover" / f"sda.{split}.jsonl").write_text(text, encoding="utf-8")
    main(other, out, "somebody", 64)
    (refusal,) = (json.loads(line) for line in (out / "refused.jsonl").read_text("utf-8").splitlines())
    assert refusal["clip"] == "row-train" and refusal["reason"] == "broken_clip"
    assert "50 frames, 60 promised" in refusal["detail"]
    assert len(clips.load(out, "test")) == 2


def test_phones_have_no_gaps() -> None:
    phones = timed_phones([("AA", 0.1, 0.2), ("B", 0.2, 0.3), ("K", 0.5, 0.6)], 24_000)
    told = [(phone.symbol, phone.end) for phone in phones]
    assert told == [("pau", 2400), ("aa", 4800), ("b", 7200), ("pau", 12000), ("k", 14400), ("pau", 24000)]


def test_both_sounds_of_a_stretch_are_for_the_same_part() -> None:
    for row in ("a", "b", "c"):
        own, synthetic = (name_of(row, 0, sound) for sound in ("own", "synthetic"))
        assert own != synthetic and clips.part_of(own, "train") == clips.part_of(synthetic, "train")


def test_a_blink_is_seen() -> None:
    eye = np.zeros((20, 478, 2), np.float32)
    eye[:, 33], eye[:, 263] = (0, 0), (100, 0)
    for upper, lower in ((159, 145), (386, 374)):
        eye[:, upper, 1], eye[:, lower, 1] = -5, 5
        eye[10, upper, 1], eye[10, lower, 1] = -1.25, 1.25
    shut = lids(eye)
    assert shut[10] == pytest.approx(1.0) and np.delete(shut, 10).max() == 0
