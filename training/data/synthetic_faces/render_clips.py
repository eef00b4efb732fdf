"""Renders talking heads as ordinary clips: `parley data render --minutes 60 --out clips`.

Each clip is `{number}.mp4` (H.264, with sound, to look at), `{number}.wav` (24 kHz, what training hears)
and `{number}.json` (who, what, phones, and the face's parameters frame by frame). The JSON is written last:
a clip with one is whole. Running the command again goes on where it stopped; several machines may each take
a shard.

Frame i shows the instant of sample 960 i, exactly: all times are whole samples of the 24 kHz media clock.
"""

import json
import os
import time
import wave
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from parley.engines import Picture
from parley.media.audio import float_to_pcm16
from parley.media.clock import FPS, FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.video import write_mp4
from services.sda.face.motion import Upper
from training.data.synthetic_faces import parameters, plan
from training.data.synthetic_faces.bank import articulation, to_bytes
from training.data.synthetic_faces.identities import named
from training.data.synthetic_faces.performance import PARAMETERS, Take, perform
from training.data.synthetic_faces.plan import Clip
from training.data.synthetic_faces.renderer import CAMERA, Renderer
from training.ledger import Shard

_CAMERA = 2  # purpose of a clip's random numbers; 0 and 1 are performance.py's


def draw(clip: Clip, take: Take, *, size: int, supersample: int) -> Iterator[Picture]:
    """The frames of a performance, RGB uint8 [size, size, 3]."""
    random = clip.random(_CAMERA)
    field_of_view = float(random.uniform(0.165, 0.195))
    x, y = float(random.normal(0, 0.5)), CAMERA[1] + 0.9 + float(random.normal(0, 0.5))
    turned = random.normal(0, (0.05, 0.03, 0.015))
    with Renderer(
        named(clip.identity), size=size, supersample=supersample, field_of_view=field_of_view
    ) as renderer:
        for row in take.parameters:
            face = dict(zip(PARAMETERS, (float(v) for v in row), strict=True))
            mouth = articulation(
                face["open"], face["width"], face["lift"],
                tuck=face["tuck"], tongue=face["tongue"], thrust=face["thrust"],
            )  # fmt: skip
            upper = Upper(face["lid"], face["gaze_x"], face["gaze_y"], face["brow"])
            yaw, pitch, roll = (float(v) for v in turned + _turn(face))
            picture, _ = renderer.render(
                mouth, _drawn(upper), turn=(yaw, pitch, roll), camera=(x - face["sway"], y - face["bob"])
            )
            yield to_bytes(picture)


def _turn(face: dict[str, float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([face["yaw"], face["pitch"], face["roll"]])


def _drawn(upper: Upper) -> parameters.Upper:
    shut = 1.0 - max(upper.lid, 0.0)  # closed eyes do not look anywhere
    return parameters.Upper(
        lid=upper.lid, gazeX=upper.gaze_x * shut, gazeY=upper.gaze_y * shut, brow=upper.brow
    )


def paths(out: Path, number: int) -> tuple[Path, Path, Path]:
    """Video, sound and description of a clip."""
    video, sound, about = (out / f"{number:06d}.{kind}" for kind in ("mp4", "wav", "json"))
    return video, sound, about


def render_clip(number: int, out: Path, size: int, supersample: int) -> int:
    """Makes clip `number`; returns its frames."""
    clip = plan.clip(number)
    take = perform(clip)
    video, sound, about = paths(out, number)
    pcm = float_to_pcm16(take.audio)
    pictures = draw(clip, take, size=size, supersample=supersample)
    write_mp4(video, ((i * FRAME_SAMPLES, picture) for i, picture in enumerate(pictures)), pcm)
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(pcm)
    told: dict[str, Any] = {
        **asdict(clip),
        "version": plan.VERSION,
        "fps": FPS,
        "frames": len(take.parameters),
        "sample_rate_hz": SAMPLE_RATE_HZ,
        "size": size,
        "supersample": supersample,
        "phones": [[p.symbol, p.end] for p in take.phones],
        "parameter_names": PARAMETERS,
        "parameters": take.parameters.tolist(),
    }
    part = about.with_suffix(".part")
    part.write_text(json.dumps(told), encoding="utf-8")
    os.replace(part, about)
    return len(take.parameters)


def finished(out: Path) -> dict[int, int]:
    """Frames of each clip that is there, by number."""
    return {
        int(path.stem): int(json.loads(path.read_text(encoding="utf-8"))["frames"])
        for path in out.glob("[0-9]*.json")
    }


def render(
    minutes: Annotated[float, typer.Option(help="How much video there shall be, with what is there.")],
    out: Annotated[Path, typer.Option(help="Folder of the clips.")],
    size: Annotated[int, typer.Option(help="Width and height in pixels.")] = 256,
    supersample: Annotated[int, typer.Option(help="Rays a pixel and axis; 2 is 4 times slower than 1.")] = 2,
    workers: Annotated[int, typer.Option(help="Processes; one is enough for a GPU.")] = 1,
    shard: Annotated[str, typer.Option(help="i/n: the part of all clips that this machine makes.")] = "",
) -> None:
    """Render synthetic talking heads: goes on where it stopped, shows progress."""
    out.mkdir(parents=True, exist_ok=True)
    part = Shard.parse(shard)
    done = finished(out)
    frames, goal = sum(done.values()), round(minutes * 60 * FPS)
    before, began = frames, time.monotonic()
    numbers = (n for n in _from(part.index, part.count) if n not in done)
    # Not forked: a GL context does not survive it.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running: set[Future[int]] = set()
        while frames < goal or running:
            while frames < goal and len(running) < workers:
                running.add(pool.submit(render_clip, next(numbers), out, size, supersample))
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            frames += sum(future.result() for future in ended)
            pace = (frames - before) / (time.monotonic() - began)
            left = max(goal - frames, 0) / pace
            print(
                f"\r{frames / FPS / 60:.2f}/{minutes:g} min, {pace:.1f} frames/s, {left / 60:.0f} min left ",
                end="",
                flush=True,
            )
    print(f"\n{frames / FPS / 60:.2f} minutes in {out}")


def _from(first: int, step: int) -> Iterator[int]:
    while True:
        yield first
        first += step


if __name__ == "__main__":
    typer.run(render)
