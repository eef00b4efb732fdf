"""Does it pay to speak for several sessions at once? `python -m services.tts.batching VOICE`.

The vocoder is nearly all of a voice's work. Each row is the time that a stretch of two seconds takes in a
batch of that size over the time it takes alone, in one run.
"""

from pathlib import Path
from typing import Annotated, Final

import numpy as np
import orjson
import typer

from parley.bench.batching import compare
from parley.engines import Audio
from parley.errors import ParleyError
from services.tts.fastpitch.frames import MELS
from services.tts.fastpitch.voice import LONGEST, Voice

FEATURES: Final = MELS + 2  # with pitch and voicing


def main(
    voice: Annotated[Path, typer.Argument(help="Folder of an exported voice.")],
    repeats: Annotated[int, typer.Option(help="Of each size of batch.", min=1)] = 50,
) -> None:
    """Measure whether batching stretches of speech pays."""
    try:
        speaker = Voice(voice)
    except ParleyError as error:
        raise SystemExit(f"batching: {error}") from error
    told: Audio = np.random.default_rng(1).standard_normal((8, LONGEST, FEATURES), np.float32)
    rows = compare(lambda size: speaker.filters(told[:size]), repeats=repeats)
    print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    typer.run(main)
