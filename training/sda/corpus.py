"""A subject's corpus, as the data tool hands it over, to training material like that of rendered clips.

    parley data run training/configs/SUBJECT.yaml
    python -m training.sda.corpus SUBJECT_FOLDER data/faces-SUBJECT --identity SUBJECT

Each stretch in which the face is seen gives two clips: the video with its own sound, and with the synthetic
speech that was warped onto it (`handover/sda.*.jsonl`). What eyes, brows and head do is read off the
landmarks (`measured.py`). Dev and test recordings are held out. Goes on where it stopped.
"""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

from parley.engines import Audio, TimedPhone
from parley.errors import ConfigError, MediaError
from parley.media.audio import float_to_pcm16
from parley.media.clock import FPS, FRAME_SAMPLES, SAMPLE_RATE_HZ
from training.data import sound
from training.data.stages.handover import SPLITS
from training.data.synthetic_faces.performance import mouths
from training.sda.clips import GAUGE_EVERY
from training.sda.faces import Aligned, aligned
from training.sda.measured import parameters
from training.sda.prepare import SILENT, BrokenClip, SilentClip, frames, note_refusal, refused, write

SOUNDS: Final = ("own", "synthetic")


def timed_phones(told: list[tuple[str, float, float]], end: int) -> list[TimedPhone]:
    """ARPAbet with start and end in seconds to phones without gaps, up to sample `end`."""
    phones, now = [], 0
    for symbol, start_s, end_s in told:
        start, stop = (round(at * SAMPLE_RATE_HZ) for at in (start_s, end_s))
        if start > now:
            phones.append(TimedPhone("pau", start))
        phones.append(TimedPhone(symbol.lower(), stop))
        now = stop
    return [*phones, TimedPhone("pau", end)] if end > now else phones


def name_of(row: str, stretch: int, sound_of: str) -> str:
    """A clip's number: both sounds of a stretch go to the same part (`clips.part_of`)."""
    chance = int(hashlib.sha256(f"{row}/{stretch}".encode()).hexdigest()[:7], 16)
    return str(2 * GAUGE_EVERY * chance + GAUGE_EVERY * SOUNDS.index(sound_of) + chance % GAUGE_EVERY)


def sounds_of(root: Path, row: dict[str, Any], count: int) -> dict[str, Audio]:
    """Both sounds of a row's first `count` frames, float32 [count * 960].

    Raises:
        SilentClip: One of them says nothing.
    """
    seconds, start = count / FPS, row["start_s"]
    heard = {
        "own": sound.read(root / row["audio"], start, start + seconds, SAMPLE_RATE_HZ),
        "synthetic": sound.read(root / row["speech"], 0.0, seconds, SAMPLE_RATE_HZ),
    }
    for name, audio in heard.items():
        if not len(audio) or np.sqrt(np.mean(audio**2)) < SILENT:
            raise SilentClip(f"Nothing is said in the {name} sound of {row['id']}.")
        missing = count * FRAME_SAMPLES - len(audio)
        heard[name] = np.pad(audio, (0, max(missing, 0)))[: count * FRAME_SAMPLES]
    return heard


def prepare_row(root: Path, row: dict[str, Any], out: Path, *, size: int, identity: str, split: str) -> int:
    """Writes the clips of one line of the corpus; returns their frames.

    Raises:
        BrokenClip: The video has not the frames that are promised.
        SilentClip: Nothing is said.
        NoFace: A frame of a stretch shows no face.
        SeveralFaces: It shows more than one.
    """
    pictures = list(frames(root / row["crop"]))
    if len(pictures) != row["frames"]:
        raise BrokenClip(f"{row['crop']}: {len(pictures)} frames, {row['frames']} promised.")
    heard = sounds_of(root, row, len(pictures))
    phones = timed_phones(row["phones"], len(pictures) * FRAME_SAMPLES)
    total = 0
    for number, (first, end) in enumerate(row["stretches"]):
        face: Aligned = aligned(pictures[first:end], size)
        for name, audio in heard.items():
            about = {"split": split, "identity": identity, "text": row["text"]}
            about["voice"] = row["voice"] if name == "synthetic" else identity
            did = parameters(face.seen, mouths(audio, phones)[first:end])
            cut = audio[first * FRAME_SAMPLES : end * FRAME_SAMPLES]
            pcm = np.frombuffer(float_to_pcm16(cut), "<i2")
            write(out, name_of(row["id"], number, name), face, pcm, did, about)
            total += end - first
    return total


def main(
    corpus: Annotated[Path, typer.Argument(help="The subject's folder, with `handover` in it.")],
    out: Annotated[Path, typer.Argument(help="Where to.")],
    identity: Annotated[str, typer.Option(help="Who it is: the avatar's name.")],
    size: Annotated[int, typer.Option(help="Of the aligned square, in pixels.")] = 128,
) -> None:
    """Make training material of a subject's corpus.

    Raises:
        ConfigError: There is no corpus.
    """
    lists = {split: corpus / "handover" / f"sda.{split}.jsonl" for split in SPLITS}
    if not all(path.is_file() for path in lists.values()):
        raise ConfigError(f"{corpus} has no handover for the face.", fix="parley data run CONFIG")
    out.mkdir(parents=True, exist_ok=True)
    known, total = set(refused(out)) | _done(out), 0
    rows = [
        (split, json.loads(line))
        for split, path in lists.items()
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    for number, (split, row) in enumerate(rows, 1):
        names = {name_of(row["id"], k, s) for k, s in itertools.product(range(len(row["stretches"])), SOUNDS)}
        if row["id"] in known or names <= known:
            continue
        try:
            total += prepare_row(
                corpus, row, out, size=size, identity=identity, split="train" if split == "train" else "test"
            )
        except MediaError as error:
            note_refusal(out, row["id"], error)
        print(f"\r{number}/{len(rows)} clips, {total} frames ", end="", flush=True)
    print(f"\n{len(rows)} clips of the corpus; {len(refused(out))} refused in all.")


def _done(out: Path) -> set[str]:
    return {path.stem for path in out.glob("[0-9]*.npz")}


if __name__ == "__main__":
    typer.run(main)
