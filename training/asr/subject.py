"""A made-up subject with words of its own, for rounds of correction whose truth is known.

    python -m training.asr.subject FOLDER

One voice that the small Whisper never heard talks about things that it has no words for, in recordings of
half a minute. No sentence is said twice, so what is held out by recording is held out by sentence.
`truth.json` is as `training.data.demo_material` writes it. Same seed, same material.
"""

import argparse
import json
from pathlib import Path
from typing import Final

import numpy as np

from training.asr.make_text import read_grammar, sentences
from training.asr.speech import SUBJECT
from training.data.demo_material import Cast, Track, write_wav

VOICE: Final = SUBJECT.removeprefix("flite:")
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
40 do you like [new] or [old]
30 do you like [new] in the [time]
30 would you like [new] in the [time]
40 i drink [new] [when]
20 i drink [old] and [new] in the [time]
8 is [new] a tea
8 what is [new]
8 how do you make [new]
20 how do you make [new] with [old]
30 i like [old] and [new]
20 tell me about [new] and [old]
20 can you make [new] for me [when]
20 can i see [seen] [when]
4 when do [seen] come
4 [seen] are far away
4 how far away are [seen]
12 good [time] [who]
4 [who] can you hear me
4 what can you do [who]
4 how does [who] work
4 tell me a story [who]
12 where is [far] [who]
12 who is [who] and where is [far]
4 [who] do you sleep at night
30 can you see [far] and [seen] [when]
"""


def said(seed: int) -> list[str]:
    """What the subject says, no sentence twice: not even with another word of politeness around it."""
    names, templates = read_grammar(GRAMMAR)
    around = {*names["opener"], *names["ending"]}
    once: dict[tuple[str, ...], str] = {}
    for text in sentences(names, templates, seed):
        once.setdefault(tuple(word for word in text.split() if word not in around), text)
    return [str(text) for text in np.random.default_rng(seed).permutation(list(once.values()))]


def build(folder: Path, *, recordings: int = 20, seed: int = 1) -> None:
    """Makes the recordings.

    Args:
        folder: Where to.
        recordings: How many, of a dozen sentences each.
        seed: Of sentences, pauses and noise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random, cast, texts = np.random.default_rng(seed), Cast(), said(seed)
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
    parser.add_argument("--recordings", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    build(options.folder, recordings=options.recordings, seed=options.seed)


if __name__ == "__main__":
    main()
