"""A small corpus for the review page's tests: flite reads, and the engines have misheard what is said."""

import io
import subprocess
import wave
from pathlib import Path

from training.data.clips import Clip, Hypothesis
from training.data.store import Corpus
from training.data.voices import Casting, Found, Piece, Voice

RATE_HZ = 16_000
PAUSE_S = 0.8

# (what is said, best hypothesis, second hypothesis, disagreement, confidence)
READING = (
    (
        "Parley draws a face that speaks.",
        "parlay draws a face that speaks",
        "parlay draws a fey that speaks",
        0.1,
    ),
    ("Today Parley listens to you.", "today parlay listens to you", "today parlay listens to new", 0.2),
    ("Nobody owns the north star.", "nobody owns the north star", "nobody knows the north star", 0.15),
    ("Ask Parley about the moon.", "ask parlay about the moon", "ask parlay about them soon", 0.3),
    ("Seven lamps stood by the harbour.", "heaven clams to buy", "zen and stood there", 0.8),
)
OTHER = (
    (
        "Birds find their way by the stars.",
        "birds find there way by the stars",
        "birds find their weight",
        0.25,
    ),
    ("Rain fell on the quiet hills.", "rain fell on the quiet hills", "rain fell on the quite hills", 0.05),
)


def build(root: Path) -> Corpus:
    """Two recordings, seven clips; ids are `reading-0` … and `other-0` …."""
    corpus = Corpus(root)
    (root / "blobs").mkdir(parents=True)
    clips = [*_recording(root, "reading", "slt", READING), *_recording(root, "other", "rms", OTHER)]
    corpus.publish(clips)
    Casting(root).publish(
        Found(
            voices=[_voice("A", "reading", clips), _voice("B", "other", clips)],
            target="A",
        )
    )
    return corpus


def _voice(label: str, name: str, clips: list[Clip]) -> Voice:
    pieces = [
        Piece(audio=clip.audio, title=clip.title, start_s=clip.start_s, end_s=clip.end_s)
        for clip in clips
        if clip.source == name
    ]
    seconds = sum(piece.end_s - piece.start_s for piece in pieces)
    return Voice(label=label, seconds=seconds, recordings=1, pieces=pieces[:3])


def _recording(
    root: Path, name: str, voice: str, sentences: tuple[tuple[str, str, str, float], ...]
) -> list[Clip]:
    silence = b"\0\0" * int(PAUSE_S * RATE_HZ)
    pcm, clips = silence, []
    for number, (said, first, second, disagreement) in enumerate(sentences):
        start = len(pcm) / 2 / RATE_HZ
        pcm += _said(said, voice)
        clips.append(
            Clip(
                id=f"{name}-{number}",
                source=name,
                title=f"A {name}",
                audio=f"blobs/{name}.wav",
                start_s=round(start - 0.15, 3),
                end_s=round(len(pcm) / 2 / RATE_HZ + 0.15, 3),
                hypotheses=[
                    Hypothesis(engine="first", text=first, confidence=0.9 - disagreement / 2),
                    Hypothesis(engine="second", text=second, confidence=0.5),
                ],
                disagreement=disagreement,
                doubt=disagreement,
            )
        )
        pcm += silence
    with wave.open(str(root / "blobs" / f"{name}.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm)
    return clips


def _said(text: str, voice: str) -> bytes:
    wav = subprocess.run(
        ["flite", "-voice", voice, "-t", text, "-o", "/dev/stdout"],
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout
    with wave.open(io.BytesIO(wav)) as file:
        assert file.getframerate() == RATE_HZ
        return bytes(file.readframes(1 << 24))
