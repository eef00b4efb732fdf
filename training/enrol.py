"""An avatar from a photo, a clip of speech and a text: `parley avatar new ada --photo … --speech … --text …`.

The face is the photo's: the generator moves it at once, without training. The voice is the installed one that
sounds most alike; cloning it takes the `coqui` engine, or `parley train tts`. The text becomes the notes that
the mind answers from. Everything is made aside and moved into place last, so nothing half made is ever found.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import yaml

from parley import consent
from parley.avatars import NAME, load_avatar
from parley.engines import Audio, TtsEngine
from parley.errors import BadRequest
from parley.intake.decode import decode_audio, decode_picture
from parley.intake.limits import SPEECH_S
from parley.media.audio import pcm16_to_float, resample
from parley.media.clock import SAMPLE_RATE_HZ
from services.llm.notes.markdown import parse_file
from services.tts.config import TtsSettings
from services.tts.engines import load as load_voices
from services.tts.voices import CALIBRATION
from training.data import speaker_encoder
from training.sda import still

SHORTEST_S, LONGEST_S = SPEECH_S  # of the clip of speech
_HEADING_WORDS: Final = 6
_PERSONA: Final = """\
You are {title}, a digital avatar made for {person}, who agreed to it: a face and a voice by machine, talking
with one person in real time. You are not {person} and no human being, and say so plainly when it comes up.

How you speak:
- This is speech, not writing. Use plain spoken sentences, no lists, no headings, no emoji, no markup.
- Answer in one to three short sentences first. Go deeper only when you are asked for more.
- What you hear comes from speech recognition and may contain wrong words. Take the likeliest meaning; if you
  cannot, ask one short question.

What you know is in your notes. When you do not know something you say so; you make up nothing about {person}.
You give no medical, legal or financial advice, and promise nothing in the name of {person}.
"""


@dataclass(frozen=True, slots=True)
class Voice:
    """An installed voice, "flite/awb", and how much it sounds like someone: a cosine; the same from 0.8."""

    name: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What was made."""

    folder: Path
    voice: Voice | None
    notes: int


def enrol(
    name: str,
    avatars: Path,
    *,
    photo: Path,
    text: Path,
    speech: Path | None = None,
    title: str = "",
    drawn: bool = False,
    progress: Callable[[str, float], None] = lambda step, done: None,
) -> Enrolled:
    """Makes an avatar of a person who agreed.

    Args:
        name: Its folder in `avatars`, in which the consent record lies already.
        avatars: Folder of avatars.
        photo: The face, from the front: PNG, JPEG or WebP.
        text: What it knows: Markdown in the format of notes, or plain paragraphs. UTF-8.
        speech: How the person speaks, 3 to 60 s; None: the default voice.
        title: What it is called; empty: its name with a capital.
        drawn: Whether it is drawn as a cartoon; needs the `train` extra.
        progress: Told each step as it begins (`parley.jobs.job.Step`), and what is done of all, 0 … 1.

    Raises:
        BadRequest: The name is taken or none, or the text or the clip is too short.
        ConsentMissing: There is no consent for the face, or for the voice of a clip.
        MediaError: The photo or the clip cannot be used; the message says why.
    """
    folder = avatars / name
    if not NAME.fullmatch(name):
        raise BadRequest(f"{name!r} cannot be an avatar's name.", fix="Use a-z, 0-9, - and _.")
    if (folder / "avatar.yaml").exists():
        raise BadRequest(f"There is an avatar {name!r} already.", fix=f"parley avatar remove {name}")
    record = consent.require(folder, "face")
    title = title or name.capitalize()
    progress("text", 0.1)
    written, notes = notes_of(text, title)
    voice = None
    if speech is not None:
        consent.require(folder, "voice")
        progress("voice", 0.2)
        voice = _voice_of(speech)
    progress("face", 0.5)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=avatars) as aside:
        made = Path(aside)
        _make_face(photo, made / "face", drawn=drawn)
        (made / "notes").mkdir()
        (made / "notes" / "own.md").write_text(written, encoding="utf-8")
        (made / "persona.md").write_text(_PERSONA.format(title=title, person=record.person), encoding="utf-8")
        # Under another name as yet: whoever lists avatars looks into this folder, too.
        (made / "manifest").write_text(_manifest(title, record.person, voice, drawn), encoding="utf-8")
        for part in ("face", "notes", "persona.md"):
            if (folder / part).is_dir():  # of an attempt that ended here
                shutil.rmtree(folder / part)
            (made / part).rename(folder / part)
        (made / "manifest").rename(folder / "avatar.yaml")  # last: with it, the avatar exists
    load_avatar(avatars, name)
    return Enrolled(folder, voice, notes)


def notes_of(path: Path, title: str) -> tuple[str, int]:
    """A text as notes, and how many: headed Markdown as it is, else a note a paragraph.

    Raises:
        BadRequest: It is no text, or there is nothing in it.
    """
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError as error:
        raise BadRequest(f"There is no file {path}.") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is no text in UTF-8.", fix="Save it as plain text or Markdown.") from error
    if not re.search(r"^## ", text, re.MULTILINE):
        paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]
        text = "\n\n".join([f"# ({title})", *(f"## {_heading(part)}\n{part}" for part in paragraphs)])
    notes = len(parse_file("own", text))
    if not notes:
        raise BadRequest(f"{path} has nothing to say in it.", fix="Write some paragraphs.")
    return text + "\n", notes


def alike(clip: Audio, voices: TtsEngine, names: Sequence[str]) -> list[Voice]:
    """Voices by how much they sound like a clip, float32 [n] at 24 kHz, the likest first."""
    wanted = _embedding(clip)
    found = []
    for name in names:
        said = np.concatenate([chunk.audio for chunk in voices.synthesize(CALIBRATION, voice=name)])
        found.append(Voice(name, round(float(wanted @ _embedding(said)), 3)))
    return sorted(found, key=lambda voice: -voice.similarity)


def _heading(paragraph: str) -> str:
    return " ".join(re.findall(r"[\w'-]+", paragraph)[:_HEADING_WORDS]).lower()


def _embedding(audio: Audio) -> Audio:
    """The unit vector of who speaks, float32 [256]."""
    heard = resample(audio, SAMPLE_RATE_HZ, speaker_encoder.RATE_HZ)
    last = len(heard) / speaker_encoder.RATE_HZ - speaker_encoder.WINDOW_S
    windows = speaker_encoder.load().windows(heard, np.arange(0.0, max(last, 0.0) + 1e-6, 0.8))
    mean = windows.mean(0)
    unit: Audio = mean / np.linalg.norm(mean)
    return unit


def _voice_of(speech: Path) -> Voice:
    with speech.open("rb") as file:
        clip = pcm16_to_float(decode_audio(file, max_s=LONGEST_S))
    if len(clip) < SHORTEST_S * SAMPLE_RATE_HZ:
        raise BadRequest(
            f"{speech} has {len(clip) / SAMPLE_RATE_HZ:.1f} s of sound.",
            fix=f"Give {SHORTEST_S:.0f} to {LONGEST_S:.0f} s of one person's speech.",
        )
    with closing(load_voices("embedded", TtsSettings(pool=1))) as voices:
        return alike(clip, voices, voices.voices())[0]


def _make_face(photo: Path, folder: Path, *, drawn: bool) -> None:
    if drawn:
        from services.sda.face.styles import WEIGHTS
        from training.animated import still as drawing

        picture = drawing.drawn(photo, WEIGHTS)
        drawing.prepare(picture, folder / "still.npz")
    else:
        picture = still.framed(decode_picture(photo.read_bytes()))
        still.prepare(picture, still.average_depth(), folder / "still.npz")
    cv2.imwrite(str(folder / "portrait.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _manifest(title: str, person: str, voice: Voice | None, drawn: bool) -> str:
    engine, _, speaker = (voice.name if voice else "festival/slt").partition("/")
    told = {
        "title": title,
        "description": f"An avatar of {person}.",
        "likeness": "person",
        "greeting": f"Hello, I'm {title}, an avatar. What would you like to know?",
        "voice": {"engine": engine, "voice": speaker},
        "face": {"engine": "animated" if drawn else "gan"},
    }
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True)
