"""Does it pay to decode several sessions' windows at once? `python -m services.asr.batching MODEL`.

Each row is the time a window takes in a batch of that size over the time it takes alone, in one run.
"""

import argparse
import json
import sys
from typing import Any, Final

import numpy as np

from parley.bench.batching import SIZES, compare
from parley.bench.questions import TEXTS, VOICES, spoken
from parley.errors import ParleyError
from parley.media.audio import resample
from parley.media.clock import SAMPLE_RATE_HZ
from services.asr.engines import whisper_model
from services.asr.engines.guards import RATE_HZ

_WINDOW_S: Final = 3


def windows(model: Any, count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Features of so many questions of three seconds, float32 [count, mels, frames]."""
    made = []
    for number in range(count):
        audio = resample(spoken(TEXTS[number], VOICES[number % len(VOICES)]), SAMPLE_RATE_HZ, RATE_HZ)
        length = _WINDOW_S * RATE_HZ
        made.append(model.feature_extractor(np.pad(audio, (0, length))[:length].astype(np.float32)))
    return np.ascontiguousarray(np.stack(made))


def measure(model: Any, *, repeats: int) -> list[dict[str, float | int]]:
    """Time a window by batch size; see `compare`."""
    from faster_whisper.transcribe import get_ctranslate2_storage

    tokens = model.hf_tokenizer
    prompt = [tokens.token_to_id("<|startoftranscript|>")]
    if model.model.is_multilingual:
        prompt += [tokens.token_to_id("<|en|>"), tokens.token_to_id("<|transcribe|>")]
    prompt.append(tokens.token_to_id("<|notimestamps|>"))
    features = windows(model, max(SIZES))

    def decode(size: int) -> None:
        encoded = model.model.encode(get_ctranslate2_storage(features[:size]))
        model.model.generate(encoded, [prompt] * size, beam_size=1, max_length=40)

    return compare(decode, repeats=repeats)


def main() -> int:
    """Prints JSON. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure whether batching windows pays.")
    parser.add_argument("model", help="CTranslate2 folder or hub name")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    try:
        model = whisper_model.load(options.model, device=options.device)
        print(json.dumps(measure(model, repeats=options.repeats), indent=2))
    except ParleyError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
