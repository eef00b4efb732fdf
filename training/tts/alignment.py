"""How far forced alignment is off: `python -m training.tts.alignment data/tts/slt`.

Sentences whose phone times a synthesiser told (`training.tts.material`) are aligned as a person's recordings
are (`training.tts.corpus`), and the ends of their phones compared.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import orjson
import typer
from numpy.typing import NDArray

from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.fastpitch.frames import HOP
from services.tts.fastpitch.phonemes import FrontEnd
from services.tts.lexicon import Lexicon
from training.data.workspace import Rejected
from training.tts.corpus import clip_of
from training.tts.material import Clip, load


def errors_ms(told: Clip, found: Clip) -> NDArray[np.float64]:
    """How far the ends of all phones but the last are apart, in ms, float64 [n - 1].

    Raises:
        Rejected: Other phones or pauses were found, so that the ends cannot be compared.
    """
    if not np.array_equal(told.codes[:, 0], found.codes[:, 0]):
        raise Rejected("other phones or pauses")
    apart = np.abs(np.cumsum(told.durations) - np.cumsum(found.durations))[:-1]
    return apart * (HOP / SAMPLE_RATE_HZ * 1000)


def main(
    speech: Annotated[Path, typer.Argument(help="Material of a synthesiser's.")],
    sentences: Annotated[int, typer.Option(help="How many of the first.", min=1)] = 200,
) -> None:
    """Compare forced alignment with the times that a synthesiser told."""
    front, lexicon = FrontEnd(), Lexicon({})
    apart: list[NDArray[np.float64]] = []
    left_out: dict[str, int] = {}
    clips = load(speech)[:sentences]
    for clip in clips:
        try:
            apart.append(errors_ms(clip, clip_of(clip.audio, clip.text, front, lexicon)))
        except Rejected as error:
            left_out[str(error)] = left_out.get(str(error), 0) + 1
    if not apart:
        raise SystemExit(f"alignment: none of {len(clips)} sentences could be compared: {left_out}")
    all_ms = np.concatenate(apart)
    told = {
        "sentences": len(clips),
        "compared": len(apart),
        "left_out": left_out,
        "phone_ends": len(all_ms),
        "median_ms": float(np.median(all_ms)),
        "p95_ms": float(np.percentile(all_ms, 95)),
    }
    print(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    typer.run(main)
