"""Recordings whose truth is known: several voices and faces, noise, music, cuts, and everything that is bad.

    python -m training.data.demo_material FOLDER          # about a minute of work a minute of talk

Voices are flite's, espeak's and the reader of Debian's pocketsphinx-testdata (LibriVox, public domain);
faces are the visemes engine's. `truth.json` beside the recordings says who speaks when and what, and what
the pipeline must do with each file. The target is the voice `slt`. Same seed, same material.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import tempfile
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from parley.media.audio import float_to_pcm16, resample
from parley.media.clock import SAMPLE_RATE_HZ
from parley.media.files import read_audio
from services.tts.config import TtsSettings
from services.tts.engines import load as load_voice
from training.sda.sentences import SENTENCES

Audio = NDArray[np.float32]

TARGET = "slt"
FLITE = ("slt", "rms", "awb", "kal16")
ESPEAK = {"espeak": "en-us", "espeak_f3": "en-us+f3"}
READER = "librivox"
READINGS = Path("/usr/share/pocketsphinx/test/data/librivox")
_LOUDNESS = 0.06


@dataclass
class Turn:
    """Someone speaks. Times in seconds; `voiced` leaves out pauses of 0.3 s and more."""

    speaker: str
    start_s: float
    end_s: float
    text: str
    voiced: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Track:
    """A recording's sound being laid out."""

    audio: list[Audio] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    length: int = 0

    def pause(self, seconds: float) -> None:
        """Silence."""
        self._add(np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32))

    def say(self, speaker: str, text: str, audio: Audio) -> None:
        """A turn."""
        start = self.length
        self._add(audio)
        self._turn(speaker, text, start, audio)

    def over(self, speaker: str, text: str, audio: Audio) -> None:
        """A turn over the end of the last one, its second half over what is already there."""
        half = min(len(audio) // 2, len(self.audio[-1]))
        start = self.length - half
        self.audio[-1] = self.audio[-1].copy()
        self.audio[-1][-half:] += audio[:half]
        self._add(audio[half:])
        self._turn(speaker, text, start, audio)

    def music(self, seconds: float) -> None:
        """Chords, quietly."""
        t = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        chords = [(220.0, 277.2, 329.6), (196.0, 246.9, 293.7), (174.6, 220.0, 261.6)]
        which = (t / 1.2).astype(int) % len(chords)
        notes = np.array(chords)[which]
        fade = np.exp(-((t % 1.2) * 2))[:, None]
        sound = (np.sin(2 * np.pi * notes * t[:, None]) * fade).sum(1) * 0.05
        self._add(sound.astype(np.float32))

    def mix(self, random: np.random.Generator, noise_db: float) -> Audio:
        """All of it, over pink-ish noise of that level."""
        audio = np.concatenate(self.audio)
        white = random.normal(0, 1, len(audio) + 64).astype(np.float32)
        pink = np.convolve(white, np.exp(-np.arange(64) / 12).astype(np.float32), "valid")[: len(audio)]
        return audio + pink / np.float32(pink.std()) * np.float32(10 ** (noise_db / 20))

    def _turn(self, speaker: str, text: str, start: int, audio: Audio) -> None:
        begin_s, end_s = start / SAMPLE_RATE_HZ, self.length / SAMPLE_RATE_HZ
        voiced = [(round(begin_s + a, 2), round(begin_s + b, 2)) for a, b in voiced_parts(audio)]
        self.turns.append(Turn(speaker, begin_s, end_s, text, voiced))

    def _add(self, audio: Audio) -> None:
        self.audio.append(audio)
        self.length += len(audio)


def voiced_parts(audio: Audio, *, pause_s: float = 0.3) -> list[tuple[float, float]]:
    """Where clean speech is not silent for `pause_s` or more; seconds."""
    frame = SAMPLE_RATE_HZ // 100
    power = np.square(audio[: len(audio) // frame * frame]).reshape(-1, frame).mean(1)
    loud = np.flatnonzero(power > np.percentile(power, 95) * 1e-3)
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) >= pause_s * 100)
    firsts = [loud[0], *loud[breaks + 1]]
    lasts = [*loud[breaks], loud[-1]]
    return [(first / 100, (last + 1) / 100) for first, last in zip(firsts, lasts, strict=True)]


class Cast:
    """The voices, each saying sentences that no other turn says."""

    def __init__(self) -> None:
        self._flite = load_voice("flite", TtsSettings())
        self._sentences = itertools.cycle(SENTENCES)
        self._readings = itertools.cycle(_readings())

    def speak(self, speaker: str, sentences: int = 2) -> tuple[str, Audio]:
        """Text and speech, float32 [n] at 24 kHz, at the common loudness."""
        if speaker == READER:
            text, audio = next(self._readings)
        else:
            text = " ".join(next(self._sentences) for _ in range(sentences))
            audio = self.voice(speaker, text)
        return text, audio * np.float32(_LOUDNESS / np.sqrt(np.mean(np.square(audio)) + 1e-9))

    def voice(self, speaker: str, text: str) -> Audio:
        """One voice's speech as it comes."""
        if speaker in FLITE:
            return np.concatenate([chunk.audio for chunk in self._flite.synthesize(text, voice=speaker)])
        return espeak(ESPEAK.get(speaker, speaker), text)


def espeak(voice: str, text: str) -> Audio:
    """What espeak-ng says, float32 [n] at 24 kHz."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-v", voice, "-w", file.name, text], check=True, timeout=60)
        return read_audio(Path(file.name), SAMPLE_RATE_HZ)


def _readings() -> list[tuple[str, Audio]]:
    lines = (READINGS / "transcription").read_text().splitlines()
    found = []
    for line in lines:
        text, _, name = line.rpartition("(")
        path = READINGS / f"{name.rstrip(')').strip()}.wav"
        words = text.replace("<s>", "").replace("</s>", "").split()
        if path.exists():
            found.append((" ".join(words), read_audio(path, SAMPLE_RATE_HZ)))
    return found


def talk(cast: Cast, speakers: Sequence[str], random: np.random.Generator, *, overlaps: int = 0) -> Track:
    """A conversation: each turn two sentences, pauses of 0.3 to 1.2 s."""
    track = Track()
    track.pause(0.8)
    late = set(range(len(speakers) - overlaps, len(speakers)))
    for index, speaker in enumerate(speakers):
        text, audio = cast.speak(speaker)
        if index in late and index:
            track.over(speaker, text, audio)
        else:
            track.say(speaker, text, audio)
        track.pause(float(random.uniform(0.3, 1.2)) if index + 1 not in late else 0.0)
    track.pause(0.6)
    return track


def write_wav(path: Path, audio: Audio, rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Writes mono 16-bit."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(float_to_pcm16(resample(audio, SAMPLE_RATE_HZ, rate_hz)))


def conversations(random: np.random.Generator, scale: int) -> Iterator[tuple[str, Track, Audio]]:
    """The good recordings' sound: name, layout, sound."""
    cast = Cast()
    plans: list[tuple[str, list[str], int, float]] = [
        ("talk.mp4", [TARGET] * 5, 0, -52),
        ("interview.mp4", [TARGET, "rms"] * 4, 0, -50),
        ("panel.mp4", [TARGET, "awb", "kal16", TARGET, "awb", "kal16", TARGET], 1, -48),
        ("podcast.wav", ["espeak", TARGET, "espeak_f3", TARGET, "espeak", "espeak_f3"], 0, -46),
        ("reading.wav", [READER] * 5, 0, -60),
        ("others.wav", ["rms", "awb", "kal16", "rms"], 0, -50),
    ]
    for part in range(scale):
        for name, speakers, overlaps, noise_db in plans:
            stem, _, suffix = name.partition(".")
            track = talk(cast, speakers, random, overlaps=overlaps)
            if stem == "panel":
                track.music(4.0)
            track_name = name if scale == 1 else f"{stem}{part}.{suffix}"
            yield track_name, track, track.mix(random, noise_db)


def build(folder: Path, *, seed: int = 1, scale: int = 1, pictures: bool = True, bad: bool = True) -> None:
    """Makes the material.

    Args:
        folder: where to.
        seed: of noise and pauses.
        scale: how many times each kind of conversation.
        pictures: with faces; else the conversations are all sound files.
        bad: with the recordings that must be turned down.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    recordings: dict[str, object] = {}
    for name, track, audio in conversations(random, scale):
        path = folder / name
        if path.suffix == ".mp4" and pictures:
            from training.data.demo_pictures import film

            film(path, track.turns, audio)
        else:
            path = path.with_suffix(".wav")
            write_wav(path, audio)
        recordings[path.name] = {
            "seconds": len(audio) / SAMPLE_RATE_HZ,
            "turns": [vars(turn) for turn in track.turns],
            "expect": "done",
        }
    if bad:
        from training.data.demo_bad import spoil

        recordings |= {name: {"expect": expect, "turns": []} for name, expect in spoil(folder, random)}
    reference = Cast().voice(TARGET, "This is the voice to look for, and nobody else is to be kept.")
    (folder / "reference").mkdir(exist_ok=True)
    write_wav(folder / "reference" / "target.wav", reference)
    truth = {"target": TARGET, "recordings": recordings}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=int, default=1, help="how many times each kind of conversation")
    parser.add_argument("--sound-only", action="store_true")
    args = parser.parse_args()
    build(args.folder, seed=args.seed, scale=args.scale, pictures=not args.sound_only)


if __name__ == "__main__":
    main()
