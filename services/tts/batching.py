"""Does it pay to speak for several sessions at once? `python -m services.tts.batching VOICE`.

The vocoder is nearly all of a voice's work. Each row is the time that a stretch of two seconds takes in a
batch of that size over the time it takes alone, in one run.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

import numpy as np

from parley.bench.batching import compare
from parley.engines import Audio
from parley.errors import ParleyError
from services.tts.fastpitch.frames import MELS
from services.tts.fastpitch.voice import LONGEST, Voice

FEATURES: Final = MELS + 2  # with pitch and voicing


def main() -> int:
    """Prints JSON. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure whether batching stretches of speech pays.")
    parser.add_argument("voice", type=Path, help="folder of an exported voice")
    parser.add_argument("--repeats", type=int, default=50)
    options = parser.parse_args()
    try:
        speaker = Voice(options.voice)
    except ParleyError as error:
        print(error, file=sys.stderr)
        return 1
    told: Audio = np.random.default_rng(1).standard_normal((8, LONGEST, FEATURES), np.float32)
    rows = compare(lambda size: speaker.filters(told[:size]), repeats=options.repeats)
    print(json.dumps(rows, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
