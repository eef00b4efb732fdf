"""Does the inaudible mark survive, is it heard, and is it ever found where there is none?"""

import re
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder

from parley.avatars import list_avatars
from parley.bench.attacks import ATTACKS
from parley.bench.questions import HUMAN_RECORDINGS, spoken
from parley.bench.stats import summary
from parley.media.audio import float_to_pcm16, resample
from parley.media.clock import SAMPLE_RATE_HZ
from parley.media.files import read_audio
from parley.provenance.watermark import HIGH_HZ, LOW_HZ, Detection, detect, mark, threshold
from parley.wer import word_errors

Audio = NDArray[np.float32]

PAYLOAD: Final = 0xA5C3
VOICES: Final = ("slt", "rms", "awb", "kal16")
_EARS_HZ: Final = 16_000
_ANSWER = re.compile(r"(?m)^(?!Q:|#|-|\|)[A-Z][^\n]{70,170}[.!?]$")


def measure_watermark(
    avatars_dir: Path, *, clips: int = 40, patterns: int = 8, progress: Callable[[str], None] = print
) -> dict[str, Any]:
    """Marks answers from the avatars' notes, spoken by four voices, and looks for the mark after each attack.

    Args:
        avatars_dir: Whose notes are spoken.
        clips: How many.
        patterns: Patterns that unmarked speech is tried with, people's recordings among it.
        progress: Told what happens.

    Returns:
        `attacks`: see `_rates`, by name; `unmarked`: how often a mark was found in speech without one;
        `inaudible`: see `_heard`; `speed`: seconds of audio marked, and looked through, in a second.
    """
    said = _answers(avatars_dir, clips)
    plain = [spoken(text, voice) for text, voice in zip(said, cycle(VOICES), strict=False)]
    seconds = sum(map(len, plain)) / SAMPLE_RATE_HZ
    mark(plain[0], PAYLOAD)  # makes the filters
    began = time.process_time()
    marked = [mark(audio, PAYLOAD) for audio in plain]
    middle = time.process_time()
    attacks = {"none": _rates([detect(audio) for audio in marked])}
    ended = time.process_time()
    for name, attack in ATTACKS.items():
        attacks[name] = _rates([detect(attack(audio)) for audio in marked])
        progress(f"{name}: {attacks[name]['found']:.3f}")
    people = [read_audio(path, SAMPLE_RATE_HZ) for path in sorted(HUMAN_RECORDINGS.glob("*.wav"))]
    return {
        "clips": {"n": len(plain), "seconds": summary([len(audio) / SAMPLE_RATE_HZ for audio in plain])},
        "threshold": round(threshold(), 2),
        "attacks": attacks,
        "unmarked": _unmarked(plain + people, patterns),
        "inaudible": _heard(said, plain, marked),
        "speed": {
            "marked": round(seconds / (middle - began)),
            "looked_through": round(seconds / (ended - middle)),
        },
    }


def _answers(avatars_dir: Path, count: int) -> list[str]:
    """What avatars answer: paragraphs of their notes, from both ends of the list so that topics mix."""
    notes = [note for avatar in list_avatars(avatars_dir) for note in avatar.notes.values()]
    found = sorted({answer for note in notes for answer in _ANSWER.findall(note)})
    return list(islice(cycle(found[:: max(1, len(found) // count)]), count))


def _rates(found: list[Detection]) -> dict[str, Any]:
    """Shares of the clips whose mark was found with its payload, and with a wrong one; and the scores."""
    return {
        "found": round(float(np.mean([each.payload == PAYLOAD for each in found])), 3),
        "wrong": round(float(np.mean([each.payload not in (None, PAYLOAD) for each in found])), 3),
        "score": summary([each.score for each in found]),
    }


def _unmarked(plain: list[Audio], patterns: int) -> dict[str, Any]:
    """Trials on speech without a mark, as it is and after a codec, with several patterns."""
    clips = plain + [ATTACKS["Opus 24 kbit/s"](audio) for audio in plain]
    scores = [detect(audio, f"pattern {n}").score for n in range(patterns) for audio in clips]
    return {
        "trials": len(scores),
        "hours": round(patterns * sum(map(len, clips)) / SAMPLE_RATE_HZ / 3600, 2),
        "found": sum(score >= threshold() for score in scores),
        "score": summary(scores, digits=2),
    }


def _heard(said: list[str], plain: list[Audio], marked: list[Audio]) -> dict[str, Any]:
    """How far the mark is below the speech in its bands, and what listeners make of it.

    `pesq`: ITU-T P.862.2, 4.64 is no difference; beside it the same for AAC at 64 kbit/s. None without the
    package `pesq`. `wer`: of the embedded ears, without and with the mark.
    """
    aac = [ATTACKS["AAC 64 kbit/s"](audio) for audio in plain]
    return {
        "snr_db": summary([_snr_db(a, b) for a, b in zip(plain, marked, strict=True)]),
        "pesq": _pesq(plain, marked),
        "pesq_of_aac_64": _pesq(plain, aac),
        "wer": {"plain": _wer(said, plain), "marked": _wer(said, marked)},
    }


def _snr_db(plain: Audio, marked: Audio) -> float:
    """Speech against what was added to it, in the marked bands."""
    frequency = np.fft.rfftfreq(len(plain), 1 / SAMPLE_RATE_HZ)
    inside = (frequency >= LOW_HZ) & (frequency < HIGH_HZ)
    speech, added = (np.abs(np.fft.rfft(x)[inside]) ** 2 for x in (plain, marked - plain))
    return float(10 * np.log10(speech.sum() / added.sum()))


def _pesq(plain: list[Audio], heard: list[Audio]) -> dict[str, float] | None:
    try:
        from pesq import pesq
    except ModuleNotFoundError:
        return None
    pairs = ((_for_ears(a), _for_ears(b)) for a, b in zip(plain, heard, strict=True))
    return summary([float(pesq(_EARS_HZ, a, b, "wb")) for a, b in pairs], digits=2)


def _wer(said: list[str], clips: list[Audio]) -> float:
    """Word error rate of pocketsphinx with its own model."""
    ears = Decoder(samprate=_EARS_HZ, loglevel="FATAL")
    wrong = words = 0
    for text, audio in zip(said, clips, strict=True):
        ears.start_utt()
        ears.process_raw(float_to_pcm16(_for_ears(audio)), full_utt=True)
        ears.end_utt()
        heard = ears.hyp()
        errors, count = word_errors(text, heard.hypstr if heard else "")
        wrong, words = wrong + errors, words + count
    return round(wrong / words, 3)


def _for_ears(audio: Audio) -> Audio:
    return resample(audio, SAMPLE_RATE_HZ, _EARS_HZ)
