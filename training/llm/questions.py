"""Questions by rule: what a person might ask so that a sentence is the answer, and a question in other words.

The rules read words, not grammar: forms of "be" and modal verbs are moved to the front, the part that answers
is replaced by a question word, or the sentence's telling words are asked about. Some come out crooked, as
what is heard of a person does.
"""

import random
import re
from collections.abc import Iterator

from services.llm.notes.words import STOP_WORDS, normal

_LONGEST_SUBJECT = 5  # words
_VERB = re.compile(
    r"^(?P<subject>[^,;:]+?) (?P<verb>is|are|was|were|can|could|will|would|should|has|have|had) (?P<rest>.+)$"
)
_ACTS = re.compile(
    r"^(?P<subject>(?:the |a |an )?[a-z]+(?: [a-z]+)?) (?P<verb>[a-z]{3,}(?:s|ed)) (?P<rest>.+)$"
)
_NUMBER = (
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|sixteen|seventeen|eighteen|nineteen|"
    r"twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|billion|trillion|half"
)
_COUNT = re.compile(rf"\b(?:{_NUMBER})(?: (?:and|a|{_NUMBER}))* (?P<thing>[a-z]{{3,}}s)\b")
_YEAR = re.compile(
    r"\bin (?:the )?(?:early |late |mid )?"
    r"(?:fifteen|sixteen|seventeen|eighteen|nineteen|january|\w+ember|august)\b"
)
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
_PLACE = re.compile(r"\b(?:in|on|above|below|near|behind|under|over) the \w+")
_PRONOUNS = frozenset("it they he she that this these those there you i we".split())

_FRAMES = (
    "what about {}", "tell me about {}", "what do you know about {}", "how is it with {}", "and {}",
    "is there anything about {}", "what can you say about {}", "can you explain {}", "{}",
)  # fmt: skip
_TOPIC_FRAMES = (
    "what is {}", "tell me about {}", "what do you know about {}", "can you explain {}", "explain {} to me",
    "i would like to know about {}", "let us talk about {}", "what about {}", "do you know {}", "{} please",
    "how is it with {}", "what can you tell me about {}", "{}",
)  # fmt: skip
_OPENINGS = (
    "tell me", "do you know", "can you tell me", "i was wondering", "please tell me", "i want to know", "so",
    "well", "okay", "hey", "and", "by the way", "could you tell me", "now", "one question",
)  # fmt: skip
_ENDINGS = ("then", "exactly", "please", "really", "actually", "by the way", "do you know", "in your opinion")
_SWAPS = (
    ("what is", "what exactly is"), ("what is", "what do you call"), ("how do i", "how can i"),
    ("how do i", "what is the best way to"), ("how can i", "how do you"), ("why is", "how come"),
    ("why do", "how come"), ("why does", "how come"), ("which", "what"), ("how many", "what number of"),
    ("should i", "do i have to"), ("how long", "for how long"), ("who invented", "who came up with"),
    ("who made", "who built"), ("big", "large"), ("large", "big"), ("fast", "quick"), ("begin", "start"),
    ("start", "begin"), ("see", "spot"), ("make", "prepare"), ("need", "have to have"), ("get", "become"),
    ("tell me about", "talk about"), ("can you", "are you able to"), ("do you", "do you ever"),
    ("bicycle", "bike"),
    ("bike", "bicycle"), ("photo", "picture"), ("computer", "machine"), ("kind", "sort"), ("cold", "chilly"),
    ("how far", "at what distance"), ("keep", "store"), ("store", "keep"), ("how hot", "what temperature"),
)  # fmt: skip


def from_sentence(sentence: str, heading: str, random_: random.Random) -> Iterator[str]:
    """Questions that `sentence` answers, in normal form.

    Args:
        sentence: Of a note or a talk.
        heading: What it is about: stands for its pronouns.
        random_: Where chances come from.
    """
    text = normal(sentence)
    about = normal(heading)
    words = text.split()
    if len(words) < 4:
        return
    named = _named(text, about)
    if match := _VERB.match(named):
        subject, verb, rest = match["subject"], match["verb"], _cut(match["rest"])
        if len(subject.split()) <= _LONGEST_SUBJECT:
            yield f"{verb} {subject} {rest}"
            if subject.split()[0] not in _PRONOUNS:
                yield f"what {verb} {rest}"
            if re.search(r"\b(because|so that|so|since)\b", text):
                yield f"why {verb} {subject} {rest}"
            if _PLACE.search(text):
                yield f"where {verb} {subject}"
    elif match := _ACTS.match(named):
        yield f"what {match['verb']} {_cut(match['rest'])}"
    if match := _COUNT.search(text):
        left = " ".join(word for word in words if word not in match[0].split() and word not in STOP_WORDS)
        yield f"how many {match['thing']} {_cut(left)}"
        yield f"how {random_.choice(('long', 'far', 'much', 'often', 'big'))} {_cut(left)}"
    if _YEAR.search(text):
        yield f"when was it {_cut(_telling(text, random_, 4))}"
    if _NAME.search(sentence):
        yield f"who was it with {_telling(text, random_, 3)}"
    for _ in range(2):
        yield random_.choice(_FRAMES).format(_telling(text, random_, random_.choice((1, 2, 2, 3))))
    yield f"{random_.choice(('what', 'why', 'how', 'which'))} {_telling(text, random_, 3)} {about}"


def about_topic(heading: str, random_: random.Random) -> str:
    """A question about a note as a whole."""
    return random_.choice(_TOPIC_FRAMES).format(normal(heading))


def other_words(question: str, random_: random.Random) -> str:
    """The question as somebody else might ask it: a word swapped, one lost, more before or after it."""
    text = normal(question)
    fitting = [(a, b) for a, b in _SWAPS if re.search(rf"\b{a}\b", text)]
    if fitting and random_.random() < 0.5:
        old, new = random_.choice(fitting)
        text = re.sub(rf"\b{old}\b", new, text, count=1)
    words = text.split()
    if len(words) > 4 and random_.random() < 0.2:
        lost = random_.randrange(1, len(words))
        text = " ".join(words[:lost] + words[lost + 1 :])
    if random_.random() < 0.3:
        text = f"{random_.choice(_OPENINGS)} {text}"
    if random_.random() < 0.12:
        text = f"{text} {random_.choice(_ENDINGS)}"
    return text


def _named(text: str, about: str) -> str:
    first, _, rest = text.partition(" ")
    return f"{about} {rest}" if first in ("it", "they", "he", "she") and about else text


def _cut(text: str) -> str:
    return " ".join(re.split(r" (?:so|but|because|since|which) ", text)[0].split()[:9])


def _telling(text: str, random_: random.Random, number: int) -> str:
    """Some of the words that tell something, in their order."""
    words = [word for word in text.split() if word not in STOP_WORDS] or text.split()
    chosen = sorted(random_.sample(range(len(words)), min(number, len(words))))
    return " ".join(words[at] for at in chosen)
