"""How good voices are, beside a reference: `parley bench voice VOICE … --reference festival/slt`.

A voice is a folder that `training.tts.export` wrote, or a name of the embedded engine ("festival/slt"). All
say the Harvard sentences, which no trainer of voices sees. Of each: distortion and pitch error against
the reference along the cheapest alignment (none for the reference itself); word errors by pocketsphinx and,
with `--whisper DIR`, by that model; how alike the speakers are (1: the same direction; 0.7 and less: other
people); opinions predicted by DNSMOS; real-time factor and time to the first audio of a clause.
"""

import json as json_module
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from parley.engines import Audio, TtsEngine
from parley.errors import BadRequest, ParleyError
from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.bench import SENTENCES
from services.tts.config import TtsSettings
from services.tts.engines import load
from services.tts.engines.fastpitch import FastPitchEngine
from services.tts.text import normalize
from training.data.speaker_encoder import load as load_encoder
from training.tts import measures
from training.tts.naturalness import Listeners


@dataclass(frozen=True, slots=True)
class Take:
    """All sentences by one voice: speech, seconds of work for each, and to the first audio."""

    spoken: list[Audio]
    work_s: list[float]
    first_s: list[float]


def perform(engine: TtsEngine, voice: str, texts: Sequence[str]) -> Take:
    """Says `texts`, normalised ones."""
    list(engine.synthesize(texts[0], voice=voice))  # the first words take longer than all later ones
    take = Take([], [], [])
    for text in texts:
        began, parts = time.perf_counter(), list[Audio]()
        for chunk in engine.synthesize(text, voice=voice):
            if not parts:
                take.first_s.append(time.perf_counter() - began)
            parts.append(chunk.audio)
        take.work_s.append(time.perf_counter() - began)
        take.spoken.append(np.concatenate(parts))
    return take


def take_of(name: str, texts: Sequence[str]) -> Take:
    """`texts` by a voice, which is a folder or an embedded engine's.

    Raises:
        EngineUnavailable: It cannot speak here.
        BadRequest: There is no such voice.
    """
    if Path(name).is_dir():
        own = FastPitchEngine(name)
        return perform(own, own.voices()[0], texts)
    with closing(load("embedded", TtsSettings(pool=1))) as engine:
        if name not in engine.voices():
            raise BadRequest(
                f"{name!r} is neither a folder nor a voice.", fix=f"Choose of {', '.join(engine.voices())}."
            )
        return perform(engine, name, texts)


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    """Median and 95th percentile."""
    return {
        "median": round(statistics.median(values), digits),
        "p95": round(float(np.percentile(values, 95)), digits),
    }


class Jury:
    """Everything that judges, built once.

    Args:
        reference: What all are compared with.
        texts: The sentences, normalised.
        whisper: Folder of a CTranslate2 Whisper that listens, too; empty: none.
    """

    def __init__(self, reference: Take, texts: Sequence[str], whisper: str = "") -> None:
        self._reference, self._texts = reference, texts
        self._ear, self._listeners, self._encoder = measures.Ear(), Listeners(), load_encoder()
        self._who = measures.speaker(self._encoder, reference.spoken)
        self._whisper = measures.WhisperEar(whisper) if whisper else None

    def judge(self, take: Take) -> dict[str, Any]:
        """All figures of a voice."""
        pairs = list(zip(take.spoken, self._reference.spoken, strict=True))
        seconds = [len(audio) / SAMPLE_RATE_HZ for audio in take.spoken]
        opinions = [self._listeners.opinion(audio) for audio in take.spoken]
        wer = measures.word_error_rate(self._ear, take.spoken, self._texts)
        told: dict[str, Any] = {"wer": round(wer, 3)}
        if self._whisper is not None:
            told["wer_whisper"] = round(measures.word_error_rate(self._whisper, take.spoken, self._texts), 3)
        if take is not self._reference:
            pitches = [measures.pitch_error(made, real) for made, real in pairs]
            told["distortion_db"] = spread([measures.distortion_db(made, real) for made, real in pairs])
            told["pitch_error_hz"] = spread([hz for hz, _ in pitches], 1)
            told["voicing_errors"] = spread([share for _, share in pitches], 3)
            told["length_ratio"] = round(
                sum(seconds) / sum(len(real) / SAMPLE_RATE_HZ for _, real in pairs), 3
            )
            told["speaker_similarity"] = round(
                float(measures.speaker(self._encoder, take.spoken) @ self._who), 3
            )
        for name in opinions[0]:
            told[f"dnsmos_{name}"] = spread([opinion[name] for opinion in opinions])
        told["rtf"] = spread([work / length for work, length in zip(take.work_s, seconds, strict=True)], 4)
        told["first_audio_ms"] = spread([1000 * first for first in take.first_s], 1)
        return told


def measure(
    voices: Sequence[str], reference: str, *, sentences: int = len(SENTENCES), whisper: str = ""
) -> dict[str, dict[str, Any]]:
    """Figures of the reference and of each voice, by name."""
    texts = [normalize(sentence) for sentence in SENTENCES[:sentences]]
    beside = take_of(reference, texts)
    jury = Jury(beside, texts, whisper)
    results = {reference: jury.judge(beside)}
    for name in voices:
        if name not in results:
            print(f"measuring {name} …", file=sys.stderr)
            results[name] = jury.judge(take_of(name, texts))
    return results


def as_markdown(results: dict[str, dict[str, Any]]) -> str:
    """A table, one row a figure: median (p95)."""
    rows = list(dict.fromkeys(name for figures in results.values() for name in figures))
    lines = ["| | " + " | ".join(results) + " |", "| --- |" + " --- |" * len(results)]
    for row in rows:
        cells = []
        for figures in results.values():
            value = figures.get(row, "")
            cells.append(f"{value['median']} ({value['p95']})" if isinstance(value, dict) else str(value))
        lines.append(f"| {row} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(
    voices: Annotated[list[str], typer.Argument(help="Folders of trained voices, or embedded voices.")],
    reference: Annotated[str, typer.Option(help="Whom they are compared with.")] = "festival/slt",
    sentences: Annotated[int, typer.Option(help="How many of the 30.", min=1)] = len(SENTENCES),
    whisper: Annotated[str, typer.Option(help="Folder of a CTranslate2 Whisper that listens, too.")] = "",
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Compare voices."""
    try:
        results = measure(voices, reference, sentences=sentences, whisper=whisper)
    except ParleyError as error:
        sys.exit(f"bench: {error}")
    print(json_module.dumps(results, indent=2) if json else as_markdown(results))


if __name__ == "__main__":
    typer.run(main)
