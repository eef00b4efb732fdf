"""Recordings that a pipeline must turn down, each for one reason, and odd ones that it must accept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture
from parley.media.audio import float_to_pcm16
from parley.media.clock import FPS, FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.video import write_mp4
from training.data.demo_material import TARGET, Cast, Track, Turn, espeak, talk, write_wav
from training.data.demo_pictures import HEIGHT, WIDTH, film

Audio = NDArray[np.float32]

_FOREIGN = {
    "german.mka": (
        "de",
        "Guten Tag. Heute sprechen wir über das Wetter und über die Berge im Süden. "
        "Gestern hat es lange geregnet, aber morgen soll wieder die Sonne scheinen.",
    ),
    "spanish.mka": (
        "es",
        "Buenos días. Hoy vamos a hablar de los ríos y de las montañas del norte. "
        "Ayer llovió mucho, pero mañana volverá a salir el sol sobre la ciudad.",
    ),
}


def spoil(folder: Path, random: np.random.Generator) -> Iterator[tuple[str, str]]:
    """Writes the recordings; yields each one's name and the status that filter must give it."""
    cast = Cast()
    track = talk(cast, [TARGET] * 2, random)
    good = track.mix(random, -50)
    yield from _broken(folder, track.turns, good)
    yield from _sounds(folder, good, random)
    for name, (voice, text) in _FOREIGN.items():
        _write_tagged(folder / name, espeak(voice, text) * np.float32(0.5), voice)
        yield name, "rejected"
    yield from _films(folder, track.turns, good)


def _write_tagged(path: Path, audio: Audio, language: str) -> None:
    """Writes sound whose track names its language, as downloads do."""
    with av.open(str(path), "w", format="matroska") as file:
        track = file.add_stream("pcm_s16le", rate=SAMPLE_RATE_HZ, layout="mono")
        track.metadata["language"] = {"de": "deu", "es": "spa"}[language]
        pcm = np.frombuffer(float_to_pcm16(audio), "<i2")[None]
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, 0
        file.mux(track.encode(frame))
        file.mux(track.encode(None))


def _broken(folder: Path, turns: list[Turn], good: Audio) -> Iterator[tuple[str, str]]:
    film(folder / "whole.mp4", turns[:1], good[: 6 * SAMPLE_RATE_HZ])
    whole = (folder / "whole.mp4").read_bytes()
    (folder / "whole.mp4").unlink()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    # The index comes first, so the file opens; the rest of the samples is not there.
    yield "truncated.mp4", "rejected"
    (folder / "headless.mp4").write_bytes(whole[len(whole) // 3 :])
    yield "headless.mp4", "rejected"
    (folder / "empty.mp4").write_bytes(b"")
    yield "empty.mp4", "rejected"
    (folder / "letter.mp4").write_text("This is not a film.\n" * 50)
    yield "letter.mp4", "rejected"


def _sounds(folder: Path, good: Audio, random: np.random.Generator) -> Iterator[tuple[str, str]]:
    write_wav(folder / "short.wav", good[: SAMPLE_RATE_HZ // 2])
    write_wav(folder / "no_samples.wav", good[:0])
    write_wav(folder / "silent.wav", np.zeros(8 * SAMPLE_RATE_HZ, np.float32))
    write_wav(folder / "clipped.wav", np.clip(good * 30, -1, 1))
    noise = random.normal(0, 0.05, len(good)).astype(np.float32)
    write_wav(folder / "noisy.wav", good * np.float32(0.6) + noise)
    music = Track()
    music.music(12.0)
    write_wav(folder / "music.wav", music.mix(random, -60))
    for name in ("short", "no_samples", "silent", "clipped", "noisy", "music"):
        yield f"{name}.wav", "rejected"
    # Four hours of nothing in a file that takes no room: the samples are a hole.
    write_wav(folder / "four_hours.wav", good[:0], 8_000)
    size = 4 * 3600 * 8_000 * 2
    with (folder / "four_hours.wav").open("r+b") as file:
        header = bytearray(file.read())
        header[4:8] = (36 + size).to_bytes(4, "little")
        header[40:44] = size.to_bytes(4, "little")
        file.seek(0)
        file.write(header)
        file.truncate(44 + size)
    yield "four_hours.wav", "rejected"


def _films(folder: Path, turns: list[Turn], good: Audio) -> Iterator[tuple[str, str]]:
    pcm = float_to_pcm16(good)
    count = len(good) // FRAME_SAMPLES
    gradient = np.linspace(40, 200, WIDTH).astype(np.uint8)
    wall = np.broadcast_to(gradient[None, :, None], (HEIGHT, WIDTH, 3)).copy()
    write_mp4(folder / "no_face.mp4", ((t * FRAME_SAMPLES, wall) for t in range(count)), pcm)
    yield "no_face.mp4", "rejected"
    # Variable frame rate: every third frame is missing, and half a second now and then.
    film(folder / "steady.mp4", turns, good)

    def uneven() -> Iterator[tuple[int, Picture]]:
        with av.open(str(folder / "steady.mp4")) as file:
            for t, frame in enumerate(file.decode(video=0)):
                if t % 3 != 2 and (t // (FPS // 2)) % 6 != 5:
                    yield t * FRAME_SAMPLES, cast(Picture, frame.to_ndarray(format="rgb24"))

    write_mp4(folder / "uneven.mp4", uneven(), pcm)
    (folder / "steady.mp4").unlink()
    yield "uneven.mp4", "done"
