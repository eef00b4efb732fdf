"""The voices that were found in the recordings, for a person to say by ear which one is the target.

    review/voices.json   written by the stage `speakers`: every voice with a few pieces of it
    review/voice.wav     written when a person picks one: its pieces, the reference clip from then on
    review/picks.jsonl   who picked which voice when, append-only

The pick is kept as sound and not as a label, so it holds when more recordings bring more voices, or another
embedding model is used.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
import wave
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict

from parley.errors import BadRequest, MediaError
from parley.media.audio import float_to_pcm16
from training.data import jsonl, sound


class Piece(BaseModel):
    """A turn of one voice: seconds on the clock of a recording, whose sound lies at `audio` in the corpus."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    audio: str
    title: str
    start_s: float
    end_s: float


class Voice(BaseModel):
    """One voice: its label, how long it speaks, in how many recordings, and its longest turns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    seconds: float
    recordings: int
    pieces: list[Piece]


class Found(BaseModel):
    """Every voice, the one that speaks most first, and which was taken for the target.

    Attributes:
        target: its label.
        picked: checksum of the picked sound that decided it; empty: something else did.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    voices: list[Voice] = []
    target: str = ""
    picked: str = ""


class Casting:
    """What a corpus knows about whose voice is wanted.

    Args:
        root: the corpus folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._found = root / "review" / "voices.json"
        self._picks = root / "review" / "picks.jsonl"
        self.picked = root / "review" / "voice.wav"

    def publish(self, found: Found) -> None:
        """Writes what the pipeline found."""
        _write(self._found, orjson.dumps(found.model_dump(), option=orjson.OPT_INDENT_2))

    def found(self) -> Found:
        """What the pipeline found; nothing before it looked."""
        return Found.model_validate_json(self._found.read_bytes()) if self._found.exists() else Found()

    def picked_sha256(self) -> str:
        """Checksum of the picked sound; empty: nobody picked."""
        return hashlib.sha256(self.picked.read_bytes()).hexdigest() if self.picked.exists() else ""

    def waiting(self) -> str:
        """Label of a voice that was picked since the pipeline looked; empty: none was."""
        last = [str(row["label"]) for row, _ in jsonl.read(self._picks)][-1:]
        return last[0] if last and self.picked_sha256() != self.found().picked else ""

    def pick(self, label: str, by: str) -> None:
        """Makes a voice the target of the next run.

        Raises:
            BadRequest: there is no such voice.
        """
        with jsonl.Appender(self._picks, wait=True) as file:
            _write(self.picked, self.sound(label))
            file.append([{"label": label, "by": by, "at": round(time.time(), 3)}])

    def sound(self, label: str) -> bytes:
        """A voice's pieces, one after the other, as a WAV file.

        Raises:
            BadRequest: there is no such voice.
            MediaError: a recording that it is in is gone.
        """
        voice = next((each for each in self.found().voices if each.label == label), None)
        if voice is None:
            raise BadRequest(f"There is no voice {label!r}.", fix="Reload: the pipeline may have run again.")
        out = io.BytesIO()
        try:
            with wave.open(out, "wb") as joined:
                joined.setparams((1, 2, sound.RATE_HZ, 0, "NONE", ""))
                for piece in voice.pieces:
                    audio = sound.read(self.root / piece.audio, piece.start_s, piece.end_s, sound.RATE_HZ)
                    joined.writeframes(float_to_pcm16(audio))
        except (OSError, EOFError, wave.Error) as error:
            raise MediaError(f"The sound of voice {label} cannot be read: {error}") from error
        return out.getvalue()


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}.aside")
    try:
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
