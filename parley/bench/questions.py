"""What people say in benches: synthesised questions in voices that no avatar has, and human recordings."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parley.errors import EngineUnavailable
from parley.media.audio import pcm16_to_float, resample
from parley.media.clock import SAMPLE_RATE_HZ
from parley.media.files import read_audio, write_wav

TEXTS = (
    "What is your name?",
    "How does this program work?",
    "Can you tell me about the stars?",
    "What do you like to drink in the morning?",
    "How far away is the moon?",
    "Do you sleep at night?",
    "What can you do for me?",
    "Who made you?",
    "Why does the moon change its shape?",
    "What is a black hole?",
    "Tell me something about birds.",
    "Are you a real person?",
    "How do you make good tea?",
    "What is the biggest planet?",
    "Can you hear me when I speak?",
    "Where do you keep what I say?",
    "What is a galaxy?",
    "How do birds find their way?",
    "What is the north star?",
    "How hot is the sun?",
)
VOICES = ("awb", "slt", "kal16")
HUMAN_RECORDINGS = Path("/usr/share/pocketsphinx/test/data/librivox")
COMMAND_RECORDING = Path("/usr/share/pocketsphinx/test/data/something.raw")


def spoken(text: str, voice: str) -> NDArray[np.float32]:
    """A question in a flite voice, float32 [n] at 24 kHz.

    Raises:
        EngineUnavailable: flite is not installed.
    """
    if shutil.which("flite") is None:
        raise EngineUnavailable("flite is not installed.", fix="sudo apt-get install flite")
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "question.wav"
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(wav)], check=True, timeout=30)
        return read_audio(wav, SAMPLE_RATE_HZ)


def recorded_questions(folder: Path) -> dict[Path, str]:
    """Recordings with what is said in them: human ones, and synthesised questions written into `folder`."""
    transcripts = (HUMAN_RECORDINGS / "transcription").read_text().splitlines()
    found = {
        HUMAN_RECORDINGS / f"{name.strip('()')}.wav": words.strip()
        .removeprefix("<s>")
        .removesuffix("</s>")
        .strip()
        for words, name in (line.rsplit(" ", 1) for line in transcripts if line.strip())
    }
    raw = pcm16_to_float(COMMAND_RECORDING.read_bytes())
    command = folder / "human-command.wav"
    write_wav(command, resample(raw, 16_000, SAMPLE_RATE_HZ))
    found[command] = "go somewhere and do something"
    for number, text in enumerate(TEXTS[:3]):
        path = folder / f"synthesised-{number}.wav"
        write_wav(path, spoken(text, "slt"))
        found[path] = text
    return found


def questions(*, human: bool = False, offset: int = 0) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Endless (name, audio); different `offset`s give different orders, so that leaks between sessions show.

    Args:
        human: Human recordings between the synthesised ones.
        offset: Where in the list to begin.
    """
    recordings = (
        cycle(sorted(HUMAN_RECORDINGS.glob("*.wav"))) if human and HUMAN_RECORDINGS.is_dir() else None
    )
    for number in cycle(range(len(TEXTS))):
        text = TEXTS[(number + offset) % len(TEXTS)]
        yield text, spoken(text, VOICES[(number + offset) % len(VOICES)])
        if recordings and number % 3 == 2:
            recording = next(recordings)
            yield recording.name, read_audio(recording, SAMPLE_RATE_HZ)
