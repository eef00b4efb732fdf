"""A made-up subject with words of its own, for rounds of correction whose truth is known.

    python -m training.asr.subject FOLDER

One voice that the small Whisper never heard talks about things that it has no words for, in recordings of
half a minute. `truth.json` is as `training.data.demo_material` writes it. Same seed, same material.
"""

import argparse
import json
from pathlib import Path
from typing import Final

import numpy as np

from training.asr.make_text import read_grammar, sentences
from training.data.demo_material import Cast, Track, write_wav

VOICE: Final = "awb"
# Words of Mira's lexicon, with its pronunciations; none is in `small.txt`.
LEXICON: Final = {
    "oolong": "UW L AO NG",
    "matcha": "M AA CH AH",
    "bergamot": "B ER G AH M AA T",
    "camellia": "K AH M IY L Y AH",
    "perseids": "P ER S IY IH D Z",
    "geminids": "JH EH M IH N IH D Z",
    "parley": "P AA R L IY",
    "mira": "M IH R AH",
}
GRAMMAR: Final = """
new: oolong | matcha | bergamot | camellia
seen: the perseids | the geminids
who: mira | parley
old: green tea | black tea | coffee | water | milk
time: morning | evening | afternoon | night
when: today | tonight | tomorrow | in the morning | in the evening | in summer | in winter
far: the moon | the sun | the stars | venus | the north star
opener: so | well | please | hello
ending: please | then | today

sentences:
12 do you like [new] or [old]
8 would you like [new] in the [time]
10 i drink [new] [when]
8 is [new] a tea
8 how do you make [new]
8 i like [old] and [new]
10 can i see [seen] [when]
8 when do [seen] come
8 [seen] are far away
8 how far away are [seen]
8 good [time] [who]
8 [who] can you hear me
8 what can you do [who]
8 how does [who] work
8 tell me a story [who]
6 where is [far] [who]
6 [who] do you sleep at night
6 can you see [far] and [seen] [when]
"""


def build(folder: Path, *, recordings: int = 14, seed: int = 1) -> None:
    """Makes the recordings.

    Args:
        folder: Where to.
        recordings: How many, of a dozen sentences each.
        seed: Of sentences, pauses and noise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random, cast = np.random.default_rng(seed), Cast()
    texts = [str(text) for text in random.permutation(list(sentences(*read_grammar(GRAMMAR), seed=seed)))]
    truth: dict[str, object] = {}
    for number in range(recordings):
        track = Track()
        track.pause(0.8)
        for text in texts[number::recordings]:
            track.say(VOICE, text, 0.5 * cast.voice(VOICE, text))
            track.pause(float(random.uniform(0.9, 1.4)))
        audio = track.mix(random, float(random.uniform(-58, -46)))
        name = f"talk{number:02}.wav"
        write_wav(folder / name, audio)
        truth[name] = {"turns": [vars(turn) for turn in track.turns], "expect": "done"}
    (folder / "truth.json").write_text(json.dumps({"target": VOICE, "recordings": truth}, indent=1))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make the recordings of a made-up subject.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--recordings", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    build(options.folder, recordings=options.recordings, seed=options.seed)


if __name__ == "__main__":
    main()
