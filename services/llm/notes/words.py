"""Words as they are heard: normal forms, stems, and keys that sound-alike words share."""

import re
from functools import lru_cache

_CONTRACTIONS = (
    (re.compile(r"\b(can)'t\b"), r"\1 not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"\b(what|who|where|when|how|that|there|it|he|she)'s\b"), r"\1 is"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"'s\b"), ""),
)
_NOT_WORD = re.compile(r"[^a-z0-9 ]+")

STOP_WORDS = frozenset(
    """a about actually again all also am an and any are as at be been being but by can could did do does for
    from get give go got had has have he her here him his how i if in into is it its just know let like may
    me might more my no not now of oh ok okay on one or our please put really say she should so some tell
    than that the their them then there these they thing this those to too um uh up us very want was we well
    were what when where which who whom why will with would yes you your mister""".split()
)

# Spelling to sound classes, longest first; voiced and unvoiced sounds share one: recognisers mix them up.
_SOUNDS = (
    ("tch", "j"), ("dge", "j"), ("tion", "jan"), ("sion", "jan"), ("ture", "jar"), ("ough", "a"),
    ("igh", "a"), ("ch", "j"), ("sh", "j"), ("ph", "f"), ("th", "t"), ("ck", "k"), ("wh", "w"),
    ("qu", "kw"), ("gh", ""), ("ce", "s"), ("ci", "sa"), ("cy", "sa"), ("ge", "j"), ("gi", "ja"),
    ("gy", "ja"), ("x", "ks"), ("b", "p"), ("d", "t"), ("g", "k"), ("c", "k"), ("q", "k"), ("v", "f"),
    ("z", "s"), ("m", "n"),
)  # fmt: skip
_STARTS = (("kn", "n"), ("wr", "r"), ("gn", "n"), ("ps", "s"))


@lru_cache(maxsize=2048)
def normal(text: str) -> str:
    """Lower case, contractions spelt out, no punctuation, single spaces."""
    text = text.lower().replace("’", "'")
    for pattern, full in _CONTRACTIONS:
        text = pattern.sub(full, text)
    return " ".join(_NOT_WORD.sub(" ", text).split())


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """The word without its commonest endings; crude, but the same for question and note."""
    for ending, rest in (
        ("ies", "y"),
        ("ing", ""),
        ("ied", "y"),
        ("es", ""),
        ("ed", ""),
        ("s", ""),
        ("e", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) + len(rest) >= 3 and not word.endswith("ss"):
            return word[: -len(ending)] + rest
    return word


@lru_cache(maxsize=8192)
def sound(word: str) -> str:
    """What the word sounds like: consonant classes, any run of vowels as one "a". For English spelling."""
    for start, said in _STARTS:
        if word.startswith(start):
            word = said + word[len(start) :]
    out = ""
    at = 0
    while at < len(word):
        for spelt, said in _SOUNDS:
            if word.startswith(spelt, at):
                out += said
                at += len(spelt)
                break
        else:
            char = word[at]
            out += "a" if char in "aeiouy" else "" if char in "hw" else char
            at += 1
    return re.sub(r"(.)\1+", r"\1", out)
