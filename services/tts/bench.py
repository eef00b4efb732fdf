"""How good and how fast the voices are: `python -m services.tts.bench` prints JSON.

For each voice: word error rate of a recogniser that hears it (pocketsphinx with its bundled model, only a
yardstick between voices), real-time factor, time to the first audio of a short clause, loudness, pace.
"""

import argparse
import json
import statistics
import sys
import time
from contextlib import closing
from typing import Any

import numpy as np
from pocketsphinx import Decoder

from parley.engines import Audio, TtsEngine
from parley.errors import ParleyError
from parley.media.audio import float_to_pcm16, pcm16_to_float, resample
from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.config import TtsSettings
from services.tts.engines import load
from services.tts.pacing import Pacer
from services.tts.shaping import active_dbfs
from services.tts.text import normalize
from services.tts.voices import Casting, Speaker

HEARING_HZ = 16_000
SHORT = (
    "Hello.",
    "Yes, I can.",
    "Good question.",
    "Let me think.",
    "I am not sure.",
    "The moon is far away.",
)
SENTENCES = tuple(
    """The birch canoe slid on the smooth planks.
Glue the sheet to the dark blue background.
It is easy to tell the depth of a well.
These days a chicken leg is a rare dish.
Rice is often served in round bowls.
The juice of lemons makes fine punch.
The box was thrown beside the parked truck.
The hogs were fed chopped corn and garbage.
Four hours of steady work faced us.
A large size in stockings is hard to sell.
The boy was there when the sun rose.
A rod is used to catch pink salmon.
The source of the huge river is the clear spring.
Kick the ball straight and follow through.
Help the woman get back to her feet.
A pot of tea helps to pass the evening.
Smoky fires lack flame and heat.
The soft cushion broke the man's fall.
The salt breeze came across from the sea.
The girl at the booth sold fifty bonds.
The small pup gnawed a hole in the sock.
The fish twisted and turned on the bent hook.
Press the pants and sew a button on the vest.
The swan dive was far short of perfect.
The beauty of the view stunned the young boy.
Two blue fish swam in the tank.
Her purse was full of useless trash.
The colt reared and threw the tall rider.
It snowed, rained, and hailed the same morning.
Read verse out loud for pleasure.""".splitlines()
)


def word_errors(reference: str, heard: str) -> tuple[int, int]:
    """Edits that turn what was heard into the reference, and the number of its words (Levenshtein)."""
    truth, words = reference.lower().split(), heard.lower().split()
    row = list(range(len(words) + 1))
    for i, expected in enumerate(truth, 1):
        previous, row[0] = row[0], i
        for j, word in enumerate(words, 1):
            cost = previous + (expected != word)
            previous, row[j] = row[j], min(cost, row[j] + 1, row[j - 1] + 1)
    return row[-1], len(truth)


class Listener:
    """Pocketsphinx, offline."""

    def __init__(self) -> None:
        self._decoder = Decoder(samprate=float(HEARING_HZ), loglevel="FATAL")

    def hear(self, audio: Audio) -> str:
        """The words in float32 [n] at 24 kHz."""
        self._decoder.start_utt()
        pcm = float_to_pcm16(resample(audio, SAMPLE_RATE_HZ, HEARING_HZ))
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return str(hypothesis.hypstr) if hypothesis else ""


def spoken(engine: TtsEngine, speaker: Speaker, text: str) -> Audio:
    """A reply of one clause, as a client hears it, float32 [n] at 24 kHz."""
    pieces = Pacer(engine, speaker).clause(1, text, last=True)
    return pcm16_to_float(b"".join(piece.pcm for piece in pieces))


def first_audio_ms(engine: TtsEngine, speaker: Speaker, text: str) -> float:
    """From text to the first piece of speech."""
    started = time.perf_counter()
    next(Pacer(engine, speaker).clause(1, text, last=True))
    return (time.perf_counter() - started) * 1000


def measure(engine: TtsEngine, speaker: Speaker, listener: Listener, sentences: int) -> dict[str, Any]:
    """All figures of one voice."""
    firsts = sorted(first_audio_ms(engine, speaker, text) for text in SHORT * 10)
    errors = words = 0
    seconds = work = 0.0
    levels: list[float] = []
    for sentence in SENTENCES[:sentences]:
        started = time.perf_counter()
        audio = spoken(engine, speaker, sentence)
        work += time.perf_counter() - started
        seconds += len(audio) / SAMPLE_RATE_HZ
        levels.append(active_dbfs(audio))
        wrong, count = word_errors(
            normalize(sentence).translate(str.maketrans("", "", ",.?!")), listener.hear(audio)
        )
        errors, words = errors + wrong, words + count
    return {
        "wer": round(errors / words, 3),
        "rtf": round(work / seconds, 4),
        "first_audio_ms": {
            "median": round(statistics.median(firsts), 1),
            "p95": round(firsts[int(0.95 * len(firsts))], 1),
        },
        "active_dbfs": {"mean": round(float(np.mean(levels)), 1), "spread": round(float(np.std(levels)), 2)},
        "words_per_minute": round(60 * words / seconds),
    }


def main() -> None:
    """Measures the voices asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="embedded", help="as in PARLEY_TTS_ENGINE")
    parser.add_argument("--voice", action="append", help="only this voice; may be given several times")
    parser.add_argument("--sentences", type=int, default=len(SENTENCES), help="how many of the 30 sentences")
    parser.add_argument("--speed", type=float, default=1.0, help="0.5 to 2")
    options = parser.parse_args()
    settings = TtsSettings()
    try:
        with closing(load(options.engine, settings)) as engine:
            casting, listener = Casting(engine, settings.avatars_dir), Listener()
            results = {}
            for voice in options.voice or engine.voices():
                print(f"measuring {voice} …", file=sys.stderr)
                speaker = casting.speaker(voice=voice, speed=options.speed)
                results[speaker.voice] = measure(engine, speaker, listener, options.sentences)
        print(json.dumps(results, indent=2))
    except ParleyError as error:
        sys.exit(f"bench: {error}")


if __name__ == "__main__":
    main()
