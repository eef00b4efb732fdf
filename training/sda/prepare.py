"""Clips to training material: found, aligned, measured; or refused with a reason, and the run goes on.

    python -m training.sda.prepare CLIPS PREPARED --size 128

For each clip it writes `{number}.npy` (uint8 [frames, size, size, 3]) and `{number}.npz` (sound, landmarks,
parameters), the latter last; refused ones are listed in `refused.jsonl`. What is there already is kept.
"""

import json
import os
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast

import av
import numpy as np
import typer
from numpy.typing import NDArray

from parley.engines import Picture
from parley.errors import MediaError
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from training.sda.faces import Aligned, aligned

Pcm = NDArray[np.int16]

SILENT = 0.004  # rms
SHORTEST = 25  # frames


class SilentClip(MediaError):
    """Nothing is said in the clip."""

    code = "silent_clip"


class BrokenClip(MediaError):
    """The clip's files cannot be read, or contradict each other."""

    code = "broken_clip"


def frames(video: Path) -> Iterator[Picture]:
    """The pictures of a video.

    Raises:
        BrokenClip: It cannot be decoded.
    """
    try:
        with av.open(str(video)) as file:
            for frame in file.decode(video=0):
                yield cast(Picture, frame.to_ndarray(format="rgb24"))
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise BrokenClip(f"{video} cannot be decoded: {error}") from error


def sound(path: Path) -> Pcm:
    """Mono 16-bit sound at 24 kHz.

    Raises:
        BrokenClip: It is not that.
        SilentClip: There is nothing in it.
    """
    try:
        with wave.open(str(path)) as file:
            form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    except (wave.Error, OSError, EOFError) as error:
        raise BrokenClip(f"{path} cannot be read: {error}") from error
    if form != (1, 2, SAMPLE_RATE_HZ):
        raise BrokenClip(f"{path} is not mono 16-bit sound at {SAMPLE_RATE_HZ} Hz.")
    if not len(pcm) or np.sqrt(np.mean((pcm / 32768.0) ** 2)) < SILENT:
        raise SilentClip(f"Nothing is said in {path}.")
    return pcm.astype(np.int16)


def prepare_clip(about: Path, out: Path, size: int) -> int:
    """Prepares the clip described by `about`; returns its frames.

    Raises:
        BrokenClip: Files are unreadable or contradict each other.
        SilentClip: Nothing is said.
        NoFace: A frame shows no face.
        SeveralFaces: A frame shows more than one.
    """
    told: dict[str, Any] = json.loads(about.read_text(encoding="utf-8"))
    pcm = sound(about.with_suffix(".wav"))
    face = aligned(frames(about.with_suffix(".mp4")), size)
    count = len(face.squares)
    if count != told["frames"] or len(pcm) != count * FRAME_SAMPLES:
        raise BrokenClip(f"{about}: {count} frames, {len(pcm)} samples, {told['frames']} frames promised.")
    if count < SHORTEST:
        raise BrokenClip(f"{about} is shorter than {SHORTEST} frames.")
    write(out, about.stem, face, pcm, np.array(told["parameters"], np.float32), told)
    return count


def write(
    out: Path, name: str, face: Aligned, pcm: Pcm, parameters: NDArray[np.float32], about: dict[str, Any]
) -> None:
    """Writes a prepared clip; `about` tells split, identity, voice and text."""
    np.save(out / f"{name}.npy", face.squares)
    part = out / f"{name}.part.npz"
    np.savez(
        part,
        pcm=pcm,
        landmarks=face.landmarks.astype(np.float16),
        matrices=face.matrices,
        parameters=parameters,
        about=json.dumps({k: about[k] for k in ("split", "identity", "voice", "text")}),
    )
    os.replace(part, out / f"{name}.npz")


def refused(out: Path) -> dict[str, str]:
    """Clips that were refused, with the reason."""
    path = out / "refused.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {row["clip"]: row["reason"] for row in map(json.loads, lines)}


def note_refusal(out: Path, clip: str, error: MediaError) -> None:
    """Lists a clip as refused, with the reason."""
    told = {"clip": clip, "reason": error.code, "detail": error.message}
    with (out / "refused.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")


def prepare(
    clips: Annotated[Path, typer.Argument(help="Folder of rendered or cut clips.")],
    out: Annotated[Path, typer.Argument(help="Where to.")],
    size: Annotated[int, typer.Option(help="Of the aligned square, in pixels.")] = 128,
) -> None:
    """Find, align and measure the faces of clips; goes on where it stopped."""
    out.mkdir(parents=True, exist_ok=True)
    known = {path.stem for path in out.glob("[0-9]*.npz")} | set(refused(out))
    todo = [path for path in sorted(clips.glob("[0-9]*.json")) if path.stem not in known]
    total = 0
    for number, about in enumerate(todo, 1):
        try:
            total += prepare_clip(about, out, size)
        except MediaError as error:
            note_refusal(out, about.stem, error)
        print(f"\r{number}/{len(todo)} clips, {total} frames ", end="", flush=True)
    print(f"\n{len(todo)} clips looked at; {len(refused(out))} refused in all.")


if __name__ == "__main__":
    typer.run(prepare)
