"""What a person says about themselves that is worth remembering, in their own words.

Rules, not a model: nothing is inferred, so nothing is inferred wrongly, and everyone knows their own lines.
"""

import re
from dataclasses import dataclass

MAX_CHARACTERS = 160

_PEOPLE = (
    "wife|husband|partner|son|daughter|child|children|kid|kids|mother|father|brother|sister|friend|dog|cat|horse|"
    "boss|teacher|boat|car"
)
_STARTS = r"(?:^|[.!?,;:]\s*|\b(?:and|but|so|well|because|hello|hi|hey|yes|no|also|that)\s+)"
_NAME = r"[a-z][a-z'’-]*(?:\s[a-z][a-z'’-]*)?"
_NO_NAMES = frozenset("a an the not later back when if tomorrow maybe again it what who very so".split())
_REST = r"[^.!?;]+"
# (slot: a newer fact of the same slot takes the older one's place; what to find)
_RULES = (
    ("name", rf"my name is (?P<value>{_NAME})"),
    ("name", rf"(?:i am called|i'm called|call me|people call me) (?P<value>{_NAME})"),
    ("home", rf"i live (?:in|at|near|on) {_REST}"),
    ("origin", rf"(?:i come from|i am from|i'm from|i was born in) {_REST}"),
    ("work", rf"i work (?:as|at|in|for|with) {_REST}"),
    ("age", r"(?:i am|i'm) (?:\d+|[a-z]+(?:[ -][a-z]+)?) years old"),
    ("", rf"i have (?:a|an|one|two|three|four|five|six) (?:[a-z]+ )?(?:{_PEOPLE})\w*(?: {_REST})?"),
    ("", rf"my (?:{_PEOPLE})(?:'s name)? is (?:called )?{_REST}"),
    ("favourite", rf"my favou?rite (?P<what>[a-z ]+?) is {_REST}"),
    ("", rf"i (?:really |also )?(?:like|love|enjoy|hate|dislike|cannot stand|can't stand) {_REST}"),
    ("", rf"(?:please )?remember (?:that )?(?P<fact>(?:i|my|we|our)\b{_REST})"),
)
_PATTERNS = [(slot, re.compile(_STARTS + f"(?P<all>{rule})", re.IGNORECASE)) for slot, rule in _RULES]
_GOES_ON = re.compile(
    r",?\s+(?:and|but|so|because) (?:i|my|what|who|where|when|why|how|can|could|do|tell)\b.*", re.I
)
_QUESTION = re.compile(
    r"^(?:do|does|did|can|could|would|will|what|who|where|when|why|how|which|if|is|are)\b", re.I
)
_FIRST = re.compile(r"\bi\b(?!['’]?\w)|\bi(?=['’](?:m|ve|d|ll)\b)")


@dataclass(frozen=True, slots=True)
class Said:
    """Something that the person said about themselves.

    Attributes:
        slot: What kind of thing, of which there is one at a time; empty: there may be any number.
        text: A sentence in the first person.
    """

    slot: str
    text: str


def facts_in(words: str) -> list[Said]:
    """What `words`, a transcript or typed text, tells about who said them; mostly nothing."""
    words = " ".join(words.split())
    if not words or words.endswith("?") or _QUESTION.match(words):
        return []
    found: list[Said] = []
    for slot, pattern in _PATTERNS:
        match = pattern.search(words)
        if match is None:
            continue
        named = match.groupdict()
        text = _GOES_ON.sub("", named.get("fact") or match["all"]).strip(" ,")
        if named.get("value"):
            name = _name(named["value"])
            if not name:
                continue
            text = f"my name is {name}"
        if named.get("what"):
            slot = f"favourite {named['what']}"
        said = Said(slot, _sentence(text[:MAX_CHARACTERS]))
        if not any(said.text == other.text or (slot and slot == other.slot) for other in found):
            found.append(said)
    return [s for s in found if not any(s is not o and s.text.lower()[:-1] in o.text.lower() for o in found)]


def _sentence(text: str) -> str:
    text = _FIRST.sub("I", text)
    return f"{text[0].upper()}{text[1:]}."


def _name(words: str) -> str:
    """A name in words that were heard: a second one belongs to it only if written with a capital."""
    first, _, second = words.partition(" ")
    if first.lower() in _NO_NAMES:
        return ""
    return f"{first.title()} {second}" if second[:1].isupper() and first[:1].isupper() else first.title()
