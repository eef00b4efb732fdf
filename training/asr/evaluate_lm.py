"""Word error rates of the ears with and without the adapted language model.

    apt install flite festival festvox-us-slt-hts pocketsphinx-testdata
    python -m training.asr.evaluate_lm                      # ten minutes on one core
    python -m training.asr.evaluate_lm --prompts FOLDER     # and people reading telephone prompts

Questions are those of `services/llm/eval`, each in every voice. Voices and questions of `tuning` were used to
choose how strongly the model is adapted; those of `held_out` were not, and its questions are not in the text.
For `--prompts`, FOLDER is where Debian's packages asterisk-core-sounds-en and asterisk-core-sounds-en-g722
are unpacked (`dpkg -x`), or `/` if they are installed; every second prompt of 4 to 25 words is heard. The
recordings of people were a limit on how strongly to adapt, so their figures are not quite held out.
"""

import argparse
import gzip
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import yaml

from parley.engines import AsrEngine, Audio
from parley.errors import ParleyError
from parley.media.files import read_audio
from parley.wer import word_errors
from services.asr.bench import recordings
from services.asr.config import AsrSettings
from services.asr.engines.sphinx import SphinxEngine
from services.asr.lm.conversation import conversational

QUESTIONS: Final = Path(__file__).resolve().parents[2] / "services" / "llm" / "eval"
VOICES: Final = {
    "tuning": ("flite slt", "flite kal16", "festival kal_diphone"),
    "held_out": ("flite awb", "flite rms", "festival cmu_us_slt_arctic_hts"),
}
_FILES: Final = {"tuning": "questions.yaml", "held_out": "held_out.yaml"}
_RATE_HZ: Final = 16_000
_MARGIN_SAMPLES: Final = _RATE_HZ // 10
_AUDIBLE: Final = 0.01
_ROOM: Final = 0.0003


@dataclass(frozen=True)
class Clip:
    """Somebody's sentence, float32 [n] at 16 kHz."""

    speaker: str
    said: str
    audio: Audio


@dataclass
class Score:
    """Errors in `words` words, and in how many of `sentences` sentences."""

    words: int = 0
    errors: int = 0
    sentences: int = 0
    wrong: int = 0
    final_cpu_ms: list[float] = field(default_factory=list)

    def table(self) -> dict[str, float]:
        """Word error rate and share of sentences with an error, %; processor time of `finalize`."""
        return {
            "wer": round(100 * self.errors / self.words, 1),
            "sentences_wrong": round(100 * self.wrong / self.sentences, 1),
            "sentences": self.sentences,
            "final_cpu_ms_p50": round(float(np.percentile(self.final_cpu_ms, 50)), 1),
            "final_cpu_ms_p95": round(float(np.percentile(self.final_cpu_ms, 95)), 1),
        }


def questions(name: str, step: int) -> Iterator[Clip]:
    """Every `step`th question of one set in each of its voices, in a quiet room."""
    asked = yaml.safe_load((QUESTIONS / _FILES[name]).read_text())
    texts = [line["ask"] for lines in asked.values() for line in lines][::step]
    for voice in VOICES[name]:
        for number, text in enumerate(texts):
            audio = spoken(voice, text)
            loud = np.flatnonzero(np.abs(audio) > _AUDIBLE)
            speech = audio[max(loud[0] - _MARGIN_SAMPLES, 0) : loud[-1] + _MARGIN_SAMPLES]
            padded = np.pad(speech, (2 * _MARGIN_SAMPLES, _MARGIN_SAMPLES))
            noise = np.random.default_rng(number).standard_normal(len(padded)) * _ROOM
            yield Clip(voice, text, (padded + noise).astype(np.float32))


def spoken(voice: str, text: str) -> Audio:
    """`text` in a voice of flite or festival, float32 [n] at 16 kHz."""
    program, _, name = voice.partition(" ")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        if program == "flite":
            subprocess.run(["flite", "-voice", name, "-t", text, "-o", str(path)], check=True, timeout=60)
        else:
            command = ["text2wave", "-eval", f"(voice_{name})", "-o", str(path)]
            subprocess.run(command, input=text.encode(), check=True, timeout=60)
        return read_audio(path, _RATE_HZ)


def prompts(folder: Path, step: int) -> Iterator[Clip]:
    """Telephone prompts, read by a person."""
    listing = folder / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    sounds = folder / "usr/share/asterisk/sounds/en_US_f_Allison"
    lines = re.findall(r"^([\w/-]+): ([^\[\]\d\n]+)$", gzip.decompress(listing.read_bytes()).decode(), re.M)
    found = [(sounds / f"{name}.g722", text) for name, text in lines if 4 <= len(text.split()) <= 25]
    for path, text in [item for item in found if item[0].is_file()][1 :: 2 * step]:
        yield Clip("prompts", text, read_audio(path, _RATE_HZ))


def people(folder: Path | None, step: int) -> Iterator[Clip]:
    """Recordings of people."""
    for name, text, audio in recordings():
        yield Clip("librivox" if "_" in name else "commands", text, audio)
    if folder:
        yield from prompts(folder, step)


def score(engine: AsrEngine, clips: list[Clip]) -> dict[str, Score]:
    """Scores of each speaker, and of all."""
    scores: dict[str, Score] = {}
    for clip in clips:
        stream = engine.open(language="en", hotwords=())
        for start in range(0, len(clip.audio), _MARGIN_SAMPLES):
            stream.accept(clip.audio[start : start + _MARGIN_SAMPLES])
        began = time.thread_time()
        heard = stream.finalize().text
        cpu_ms = (time.thread_time() - began) * 1000
        errors, words = word_errors(clip.said, heard)
        for name in (clip.speaker, "all"):
            one = scores.setdefault(name, Score())
            one.words, one.errors = one.words + words, one.errors + errors
            one.sentences, one.wrong = one.sentences + 1, one.wrong + (errors > 0)
            one.final_cpu_ms.append(cpu_ms)
        del stream  # gives its decoder back
    return scores


def main() -> int:
    """Prints the table as JSON. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Word error rates with and without the adapted model.")
    parser.add_argument("--sets", nargs="+", default=["held_out", "people"], choices=[*VOICES, "people"])
    parser.add_argument("--prompts", type=Path, help="folder with Asterisk's sounds")
    parser.add_argument("--step", type=int, default=1, help="take every n-th question and prompt")
    options = parser.parse_args()
    try:
        engines = {
            "bundled": SphinxEngine(),
            "adapted": SphinxEngine(language_model=conversational(AsrSettings().cache_dir)),
        }
        table: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
        for name in options.sets:
            made = (
                people(options.prompts, options.step) if name == "people" else questions(name, options.step)
            )
            clips = list(made)
            for engine, ears in engines.items():
                scores = score(ears, clips)
                table.setdefault(name, {})[engine] = {key: one.table() for key, one in scores.items()}
    except ParleyError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(table, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
