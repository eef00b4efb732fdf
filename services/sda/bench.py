"""Measures the face on one core: `parley bench face --avatar mira`, or `python -m services.sda.bench`.

All are processor milliseconds a frame (`thread_time`), so that a busy machine does not blur them:

- `whole`: speech in, encoded H.264 out (sound features, latents, decoding, putting together, encoding).
- `half`: the same at half the width and height, which a machine under strain falls back to.
- `decode` (generators only): the decoder and putting its face into the frame.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from parley.engines import Audio, FaceEngine, FaceInput, Picture, pictures
from parley.media.clock import FPS, FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.video import CODECS, VideoEncoder
from services.sda.config import SdaSettings
from services.sda.engines import Faces
from services.sda.engines.gan import GanEngine
from services.sda.face.mel import CONTEXT, MELS
from services.sda.face.motion import Pose, Upper

Row = dict[str, float]


def summary(times: list[float]) -> Row:
    """Milliseconds a frame: median and 95 %."""
    return {"median": round(float(np.median(times)), 3), "p95": round(float(np.percentile(times, 95)), 3)}


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` gives, and the processor milliseconds it took."""
    began = time.thread_time()
    done = work()
    return done, (time.thread_time() - began) * 1000


def speech(count: int) -> Audio:
    """Noise shaped like syllables, float32 [count, 960]."""
    t = np.arange(count * FRAME_SAMPLES) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(1).normal(0, 0.1, len(t))
    shaped: Audio = (noise * np.clip(np.sin(2 * np.pi * 4 * t), 0, 1)).astype(np.float32)
    return shaped.reshape(count, FRAME_SAMPLES)


def drawing(
    engine: FaceEngine, avatar: str, count: int, *, half: bool = False
) -> tuple[list[Picture], list[float]]:
    """Frames of a reply by ear, and what each took."""
    stream, frames, times = engine.open(avatar, seed=1, half=half), [], []
    for index, audio in enumerate(speech(count)):
        step = FaceInput(audio, last=index + 1 == count)
        new, spent = timed(lambda step=step: pictures(stream, step))  # type: ignore[misc]
        frames += new
        times += [spent / len(new)] * len(new) if new else []
    return frames, times


def encoding(frames: list[Picture]) -> tuple[dict[str, dict[str, Any]], list[float]]:
    """Cost and size by codec; and H.264's times."""
    told, h264 = dict[str, dict[str, Any]](), list[float]()
    for codec in CODECS:
        height, width = frames[0].shape[:2]
        with VideoEncoder(codec, width, height) as encoder:
            done = [
                timed(lambda i=i, f=f: encoder.encode(f, i * FRAME_SAMPLES))  # type: ignore[misc]
                for i, f in enumerate(frames)
            ]
        times = [spent for _, spent in done]
        rate = sum(len(data) for data, _ in done) * 8 / 1000 / (len(frames) / FPS)
        told[codec] = {"ms_a_frame": summary(times), "kbit_s": round(rate)}
        h264 = times if codec == "h264" else h264
    return told, h264


def decoding(engine: GanEngine, avatar: str, count: int) -> dict[str, Row]:
    """A generator's parts: latents from sound, the decoder, putting the face into the frame."""
    sitter, generator = engine.sitter(avatar), engine.generator
    heard = np.random.default_rng(2).normal(0, 0.3, (count, MELS, CONTEXT)).astype(np.float32)
    memory, parts = sitter.calm.copy(), dict[str, list[float]]()
    for context in heard:
        latent, spent = timed(lambda c=context: generator.latent(c, Upper(), sitter.who, memory))  # type: ignore[misc]
        parts.setdefault("latent", []).append(spent)
        (face,), decoded = timed(lambda x=latent: generator.draw([x], sitter.who))  # type: ignore[misc]
        _, joined = timed(lambda f=face: sitter.portrait.draw(f, Pose(yaw=0.03, sway=0.1)))  # type: ignore[misc]
        parts.setdefault("decoder", []).append(decoded)
        parts.setdefault("putting together", []).append(joined)
        parts.setdefault("decode", []).append(decoded + joined)
    return {name: summary(times) for name, times in parts.items()}


def measure(avatar: str, engine_name: str, seconds: int) -> dict[str, Any]:
    """Everything about one avatar's face."""
    engine, load_ms = timed(lambda: Faces(SdaSettings(engine=engine_name)).engine(avatar))
    count = seconds * FPS
    drawing(engine, avatar, FPS)  # warm
    frames, drawn = drawing(engine, avatar, count)
    encoded, h264 = encoding(frames)
    whole = summary([a + b for a, b in zip(drawn, h264, strict=True)])
    small, drawn_small = drawing(engine, avatar, count, half=True)
    half = summary([a + b for a, b in zip(drawn_small, encoding(small)[1], strict=True)])
    idle, idle_ms = timed(lambda: engine.idle(avatar))
    told: dict[str, Any] = {
        "avatar": avatar,
        "engine": engine.name,
        "model": engine.model,
        "size": f"{engine.width}x{engine.height}",
        "whole_ms": whole,
        "whole_fps": round(1000 / whole["median"], 1),
        "half_ms": half,
        "half_share": round(half["median"] / whole["median"], 3),
        "draw_ms": summary(drawn),
        "encode": encoded,
        "load_ms": round(load_ms),
        "idle": {"frames": len(idle), "draw_ms": round(idle_ms)},
    }
    if isinstance(engine, GanEngine):
        parts = decoding(engine, avatar, count)
        told["parts_ms"] = parts
        told["decode_fps"] = round(1000 / parts["decode"]["median"], 1)
        told["decoder_gflop"] = engine.generator.about["decoder_gflop"]
        told["int8_loss_db"] = engine.generator.about["int8_loss_db"]
    told["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return told


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--avatar", default="mira")
    parser.add_argument("--engine", default="auto", help="auto, gan, animated or visemes")
    parser.add_argument("--seconds", type=int, default=12)
    args = parser.parse_args()
    print(json.dumps(measure(args.avatar, args.engine, args.seconds), indent=2))


if __name__ == "__main__":
    main()
