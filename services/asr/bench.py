"""Measures the ears: `python -m services.asr.bench` prints JSON, after two minutes.

On recordings of people (LibriVox and others, from Debian's package pocketsphinx-testdata), or with `--clips
questions` on the benches' synthesised questions. They are streamed in real time, 20 ms at a time, through the
session that the service runs, and every pause of 160 ms asks for the transcript.
"""

import argparse
import asyncio
import contextlib
import json
import re
import sys
import time
import wave
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from parley.bench.questions import TEXTS, VOICES, spoken
from parley.engines import AsrEngine, Audio
from parley.errors import ConfigError, ParleyError
from parley.media.audio import float_to_pcm16, pcm16_to_float, resample
from parley.media.clock import SAMPLE_RATE_HZ, ms_to_samples, samples_to_ms
from parley.wer import word_errors
from proto.parley.v1 import asr_pb2 as pb
from services.asr.config import AsrSettings
from services.asr.engines import load
from services.asr.inprocess import LocalEars
from services.asr.stability import Shown, Stability, stability, summed
from services.asr.transcribe import transcribe

TESTDATA = Path("/usr/share/pocketsphinx/test/data")
_RATE_HZ = 16_000
_CHUNK_MS = 20
_ASK_AFTER_MS = 160
_NOISE = 0.0003
_PATIENCE_S = 10


def recordings() -> list[tuple[str, str, Audio]]:
    """Name, transcript and audio (float32 [n] at 16 kHz) of each recording of a sentence.

    Raises:
        ConfigError: The Debian package is not installed.
    """
    listing = TESTDATA / "librivox" / "transcription"
    if not listing.is_file():
        raise ConfigError("The recordings are not installed.", fix="apt install pocketsphinx-testdata")
    found = []
    for text, name in re.findall(r"<s> (.*?) </s> \((.*?)\)", listing.read_text()):
        with wave.open(str(TESTDATA / "librivox" / f"{name}.wav")) as file:
            found.append((name, text, _audio(file.readframes(file.getnframes()))))
    for name, text in (
        ("goforward", "go forward ten meters"),
        ("something", "go somewhere and do something"),
    ):
        found.append((name, text, _audio((TESTDATA / f"{name}.raw").read_bytes())))
    return found


def questions() -> list[tuple[str, str, Audio]]:
    """The benches' questions, as `recordings` gives people's."""
    return [
        (f"question-{n}", text, resample(spoken(text, VOICES[n % len(VOICES)]), SAMPLE_RATE_HZ, _RATE_HZ))
        for n, text in enumerate(TEXTS)
    ]


def _audio(pcm: bytes) -> Audio:
    return pcm16_to_float(pcm)


@dataclass
class Heard:
    """What came of one streamed recording."""

    text: str = ""
    final_ms: list[float] = field(default_factory=list)
    partial_gaps_ms: list[float] = field(default_factory=list)
    stop_noticed_ms: list[float] = field(default_factory=list)
    first_partial_ms: list[float] = field(default_factory=list)
    stability: list[Stability] = field(default_factory=list)
    cpu_share: float = 0.0


async def listen(ears: LocalEars, audio: Audio, *, session: str = "bench") -> Heard:
    """Streams a recording in real time, asking as a conversation would.

    Args:
        ears: Who listens.
        audio: float32 [n] at 16 kHz.
        session: For the log.
    """
    heard = Heard()
    pcm = float_to_pcm16(resample(audio, _RATE_HZ, SAMPLE_RATE_HZ))
    stream = await ears.open(pb.ListenConfig(session=session, vad=True))
    sent = 0.0
    answered = asyncio.Event()
    answered.set()

    async def read() -> None:
        stopped, asked, last_partial, asked_at, number, started = 0, True, 0, 0.0, 0, 0
        shown: list[Shown] = []
        async for event in stream.events():
            match event.WhichOneof("kind"):
                case "speech_started":
                    asked, last_partial, started = True, 0, event.speech_started.at_samples
                case "speech_stopped":
                    stopped, asked = event.speech_stopped.at_samples, False
                    heard.stop_noticed_ms.append((sent - stopped) * 1000 / SAMPLE_RATE_HZ)
                case "pause" if not asked:
                    if samples_to_ms(event.pause.heard_samples - stopped) >= _ASK_AFTER_MS:
                        asked, asked_at, number = True, time.perf_counter(), number + 1
                        answered.clear()
                        await stream.send(pb.ListenRequest(finalize=pb.Finalize(id=number)))
                case "partial":
                    if not shown:
                        heard.first_partial_ms.append((sent - started) * 1000 / SAMPLE_RATE_HZ)
                    shown.append(Shown(event.partial.text, event.partial.stable_chars))
                    if last_partial:
                        gap = samples_to_ms(event.partial.heard_samples - last_partial)
                        heard.partial_gaps_ms.append(gap)
                    last_partial = event.partial.heard_samples
                case "final":
                    heard.text = event.final.text
                    heard.final_ms.append((time.perf_counter() - asked_at) * 1000)
                    if event.final.id == number:
                        answered.set()
        heard.stability.append(stability(shown, heard.text))

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read())
        cpu, began = time.process_time(), time.perf_counter()
        async for chunk in _in_real_time(pcm):
            sent += len(chunk) / 2
            await stream.send(pb.ListenRequest(pcm=chunk))
        heard.cpu_share = (time.process_time() - cpu) / (time.perf_counter() - began)
        async with asyncio.timeout(_PATIENCE_S):
            await answered.wait()
        await stream.close()
        await reading
    return heard


async def _in_real_time(pcm: bytes) -> AsyncIterator[bytes]:
    """s16le at 24 kHz in chunks of 20 ms, each when it would have been recorded."""
    began, step = time.perf_counter(), 2 * ms_to_samples(_CHUNK_MS)
    for start in range(0, len(pcm), step):
        due = began + (start / step + 1) * _CHUNK_MS / 1000
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        yield pcm[start : start + step]


async def _cost_of_waiting(seconds: float) -> float:
    """CPU share of pacing alone, which is the bench's and not the ears'."""
    cpu, began = time.process_time(), time.perf_counter()
    async for _ in _in_real_time(bytes(round(seconds * SAMPLE_RATE_HZ) * 2)):
        pass
    return (time.process_time() - cpu) / (time.perf_counter() - began)


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {f"p{p}": round(float(np.percentile(values, p)), 1) for p in (50, 95, 100)}


def _rate(results: Sequence[tuple[str, str]]) -> float:
    errors, words = np.sum([word_errors(text, heard) for text, heard in results], axis=0)
    return round(100 * float(errors) / float(words), 1)


async def measure(
    engine: AsrEngine, clips: Sequence[tuple[str, str, Audio]], *, idle_s: float, sessions: int
) -> dict[str, object]:
    """All figures.

    Args:
        engine: The recogniser.
        clips: Name, transcript and audio of each.
        idle_s: How long the idle streams last.
        sessions: How many sessions talk at once in the last measurement.
    """
    cpu = time.process_time()
    whole = [(text, transcribe(engine, audio, _RATE_HZ).text) for _, text, audio in clips]
    cpu = time.process_time() - cpu
    seconds = sum(len(audio) for _, _, audio in clips) / _RATE_HZ
    ears = LocalEars(engine)
    noise = np.random.default_rng(0)

    def room(seconds: float) -> Audio:
        return (noise.standard_normal(round(seconds * _RATE_HZ)) * _NOISE).astype(np.float32)

    with contextlib.closing(ears):
        streamed = [
            await listen(ears, np.concatenate([room(0.5), audio, room(0.5)])) for _, _, audio in clips
        ]
        waiting = await _cost_of_waiting(idle_s)
        silent = await listen(ears, np.zeros(round(idle_s * _RATE_HZ), np.float32))
        idle = await listen(ears, room(idle_s))
        longest = max((audio for _, _, audio in clips), key=len)
        async with asyncio.TaskGroup() as group:
            crowd = [
                group.create_task(listen(ears, np.concatenate([longest, room(0.5)]), session=str(n)))
                for n in range(sessions)
            ]
    together = [task.result() for task in crowd]
    return {
        "engine": engine.name,
        "model": engine.model,
        "wer_whole_file": _rate(whole),
        "real_time_factor": round(cpu / seconds, 3),
        "wer_streamed": _rate([(text, h.text) for (_, text, _), h in zip(clips, streamed, strict=True)]),
        "recordings": [
            {"name": name, "said": text, "heard": h.text, "errors": word_errors(text, h.text)[0]}
            for (name, text, _), h in zip(clips, streamed, strict=True)
        ],
        "final_ms": _spread([ms for h in streamed for ms in h.final_ms]),
        "first_partial_ms": _spread([ms for h in streamed for ms in h.first_partial_ms]),
        "stability": summed([turn for h in streamed for turn in h.stability]),
        "partial_gap_ms": _spread([ms for h in streamed for ms in h.partial_gaps_ms]),
        "stop_noticed_after_ms": _spread([ms for h in streamed for ms in h.stop_noticed_ms]),
        "cpu_share_of_a_core": {
            "digital_silence": round(silent.cpu_share - waiting, 4),
            "quiet_room": round(idle.cpu_share - waiting, 4),
            "talking": round(float(np.mean([h.cpu_share for h in streamed])), 3),
        },
        f"{sessions}_sessions_talking": {
            "cpu_share_of_a_core": round(max(h.cpu_share for h in together), 3),
            "final_ms": _spread([ms for h in together for ms in h.final_ms]),
            "stop_noticed_after_ms": _spread([ms for h in together for ms in h.stop_noticed_ms]),
        },
    }


def main() -> int:
    """Runs the measurements and prints them. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure the ears.")
    parser.add_argument("--engine", default="auto", help="auto, sphinx or whisper")
    parser.add_argument("--clips", default="people", choices=["people", "questions"], help="what is heard")
    parser.add_argument("--idle-s", type=float, default=15.0, help="seconds of each idle stream")
    parser.add_argument("--sessions", type=int, default=4, help="sessions that talk at once")
    options = parser.parse_args()
    try:
        engine = load(options.engine, AsrSettings(warm=1))
        clips = recordings() if options.clips == "people" else questions()
        figures = asyncio.run(measure(engine, clips, idle_s=options.idle_s, sessions=options.sessions))
    except ParleyError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
