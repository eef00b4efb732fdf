"""The voices that synthetic faces speak with: three synthesisers, each with its own kind of sound."""

from functools import lru_cache

import numpy as np

from parley.engines import Audio, TimedPhone
from parley.media.audio import resample
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from services.sda.flite import speak as flite
from services.tts.engines.festival import FestivalEngine
from training.data.synthetic_faces.espeak import espeak

VOICES = (
    *(f"flite:{name}" for name in ("slt", "rms", "awb", "kal16")),
    "festival:slt",
    *(
        f"espeak:{accent}+{variant}"
        for accent in ("en-us", "en")
        for variant in ("f1", "f2", "f3", "f4", "f5", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8",
                        "anika", "belinda", "linda", "steph", "paul", "john", "travis", "victor", "zac")
    ),
)  # fmt: skip
SHARES = {"flite": 0.5, "festival": 0.15, "espeak": 0.35}  # of what is said, by synthesiser


@lru_cache(maxsize=1)
def _festival() -> FestivalEngine:
    return FestivalEngine(pool=1)


def pick(random: np.random.Generator, voices: tuple[str, ...]) -> str:
    """One of `voices`: first the synthesiser, by `SHARES`, then one of its voices."""
    kinds = sorted({voice.split(":")[0] for voice in voices})
    weights = np.array([SHARES[kind] for kind in kinds])
    kind = random.choice(kinds, p=weights / weights.sum())
    return str(random.choice([voice for voice in voices if voice.startswith(f"{kind}:")]))


def say(voice: str, text: str, random: np.random.Generator) -> tuple[Audio, list[TimedPhone]]:
    """Says `text` with tempo, pitch, vocal-tract length and level drawn from `random`.

    Returns:
        float32 [n * 960] at 24 kHz, padded with silence, and its phones on the media clock.

    Raises:
        EngineUnavailable: The synthesiser or its voice is not installed.
    """
    kind, name = voice.split(":")
    tempo, height = float(random.uniform(0.85, 1.2)), float(random.uniform(0, 1))
    length, level = float(random.uniform(0.93, 1.08)), 10 ** (float(random.uniform(-7, 2)) / 20)
    if kind == "flite":
        audio, phones = flite(
            text,
            voice=name,
            settings={"duration_stretch": 1 / tempo, "int_f0_target_mean": 85 + 150 * height},
        )
    elif kind == "festival":
        chunks = list(_festival().synthesize(text, voice=name, speed=tempo))
        audio = np.concatenate([chunk.audio for chunk in chunks])
        phones = [phone for chunk in chunks for phone in chunk.phones]
    else:
        audio, phones = espeak().speak(
            text, voice=name, words_per_minute=round(160 * tempo), pitch=round(25 + 50 * height)
        )
    # Played at another rate: formants, pitch and tempo move together, in a ratio of whole numbers.
    rate = round(SAMPLE_RATE_HZ * length)
    audio = resample(audio, rate, SAMPLE_RATE_HZ) * level
    phones = [TimedPhone(p.symbol, p.end * SAMPLE_RATE_HZ // rate) for p in phones]
    return np.pad(np.clip(audio, -1, 1), (0, -len(audio) % FRAME_SAMPLES)).astype(np.float32), phones
