"""Measures the face on one core: `python -m services.sda.bench --avatar mira` prints JSON.

Draw and encode are CPU milliseconds a frame (`thread_time`), so that a busy machine does not blur them.
"""

import argparse
import json
import resource
import time

import numpy as np

from parley.engines import FaceInput
from parley.media.clock import FRAME_SAMPLES
from parley.media.video import CODECS, VideoEncoder
from services.sda.config import SdaSettings
from services.sda.engines import Faces


def measure(avatar: str, seconds: int) -> dict[str, object]:
    """Draws noise shaped like speech, by ear, then encodes it."""
    began = time.thread_time()
    engine = Faces(SdaSettings()).engine(avatar)
    stream = engine.open(avatar, seed=1)
    load_ms = (time.thread_time() - began) * 1000
    random, count = np.random.default_rng(1), seconds * 25
    t = np.arange(count * FRAME_SAMPLES) / 24000
    speech = random.normal(0, 0.1, len(t)) * np.clip(np.sin(2 * np.pi * 4 * t), 0, 1)
    steps = speech.astype(np.float32).reshape(count, FRAME_SAMPLES)
    frames, times = [], []
    for index, audio in enumerate(steps):
        began = time.thread_time()
        new = stream.push(FaceInput(audio, last=index + 1 == count))
        if new:
            times += [(time.thread_time() - began) * 1000 / len(new)] * len(new)
            frames += new
    began = time.thread_time()
    idle = engine.idle(avatar)
    idle_ms = (time.thread_time() - began) * 1000
    encoded = {}
    for codec in CODECS:
        began = time.thread_time()
        with VideoEncoder(codec, engine.width, engine.height) as encoder:
            sizes = [len(encoder.encode(frame, i * FRAME_SAMPLES)) for i, frame in enumerate(frames)]
        spent = (time.thread_time() - began) * 1000 / len(frames)
        encoded[codec] = {
            "ms_a_frame": round(spent, 3),
            "kbit_s": round(sum(sizes) * 8 / 1000 / (len(frames) / 25)),
        }
    return {
        "avatar": avatar,
        "engine": engine.name,
        "load_ms": round(load_ms),
        "draw_ms_a_frame": {
            "mean": round(float(np.mean(times)), 3),
            "p95": round(float(np.percentile(times, 95)), 3),
        },
        "encode": encoded,
        "idle": {"frames": len(idle), "draw_ms": round(idle_ms)},
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--avatar", default="mira")
    parser.add_argument("--seconds", type=int, default=8)
    args = parser.parse_args()
    print(json.dumps(measure(args.avatar, args.seconds), indent=2))


if __name__ == "__main__":
    main()
