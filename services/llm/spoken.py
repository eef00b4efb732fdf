"""What a text sounds like: markup, thinking aloud, emoji and odd spacing taken out, while it streams in.

Every engine's words pass through here on their way to the voice. Numbers and units stay as they are written,
for people to read: the voice says them in words (`services/tts/text`).

The result depends on the text alone, not on where it was cut into deltas: whenever a character's meaning
hangs on what follows ("*", "[", a line's first sign), the cleaner waits for it.
"""

import re
import unicodedata
from enum import Enum

_LINK = re.compile(r"\[([^\[\]\n]{0,200})\]\([^()\s]{0,400}\)")
_LINK_SO_FAR = re.compile(r"\[[^\[\]\n]{0,200}(?:\](?:\([^()\s]{0,400})?)?\Z")
_LINE_MARK = re.compile(r"[ \t]*(?:#{1,6}|[>\-*+•])[ \t]+")
_LINE_MARK_SO_FAR = re.compile(r"[ \t]*(?:#{1,6}|[>\-*+•])?[ \t]*\Z")
# A number in front of a line counts only inside a reply: at its front it may be the answer itself.
_ITEM_NUMBER = re.compile(r"[ \t]*\d{1,2}[.)][ \t]+")
_ITEM_NUMBER_SO_FAR = re.compile(r"[ \t]*(?:\d{1,2}[.)]?)?[ \t]*\Z")
_FENCE = re.compile(r"[ \t]*```[^\n`]*(?:\n|\Z)")
_FENCE_SO_FAR = re.compile(r"[ \t]*(?:`{1,2}|```[^\n`]*)?\Z")
_RULE = re.compile(r"-{3,}")
_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,80}>")
_TAG_SO_FAR = re.compile(r"<(?:/?(?:[a-zA-Z][^<>\n]{0,80})?)?\Z")
_BREAK = re.compile(r"</?(?:br|p|div|li|tr|td|th)\b", re.IGNORECASE)
_THINKING, _THOUGHT = "<think>", "</think>"
_SPOKEN_SYMBOLS = frozenset("°©®™")
_UNSPOKEN = frozenset("\ufe0e\ufe0f\u20e3") | {chr(c) for c in range(0x1F3FB, 0x1F400)}


class _Gap(Enum):
    """White space that was read but not yet written."""

    NONE = ""
    SPACE = " "
    PARAGRAPH = "\n\n"


class SpokenText:
    """Cleans a stream of text."""

    def __init__(self, *, after: str = "") -> None:
        """Starts at a line's beginning, or goes on after cleaned text.

        Args:
            after: What this reply has already said.
        """
        self._rest = ""
        self._last = after[-1:]
        self._gap = _Gap.NONE
        self._line_start = not after
        self._newlines = 0
        self._in_heading = False
        self._thinking = False

    def feed(self, text: str) -> str:
        """Takes more raw text; returns what can be said of it."""
        return self._clean(text, final=False)

    def finish(self) -> str:
        """Returns what was held back: the text is complete."""
        return self._clean("", final=True)

    def _clean(self, text: str, *, final: bool) -> str:
        self._rest += text
        out: list[str] = []
        at = 0
        while at < len(self._rest):
            used = self._step(at, out, final=final)
            if used is None:
                break
            at += used
        self._rest = self._rest[at:]
        return "".join(out)

    def _step(self, at: int, out: list[str], *, final: bool) -> int | None:
        """Handles what stands at `at`; returns how many characters it took, None to wait for more."""
        text = self._rest
        if self._thinking:
            return self._skip_thoughts(at, final=final)
        if self._line_start:
            if fence := _FENCE.match(text, at):
                if not final and not fence[0].endswith("\n"):
                    return None
                self._gap = _Gap.PARAGRAPH
                return fence.end() - at
            if not final and _FENCE_SO_FAR.match(text, at):
                return None
            if self._last and (number := _ITEM_NUMBER.match(text, at)):
                self._gap = _Gap.PARAGRAPH
                self._line_start = False
                return number.end() - at
            if self._last and not final and _ITEM_NUMBER_SO_FAR.match(text, at):
                return None
            if mark := _LINE_MARK.match(text, at):
                self._gap = _Gap.PARAGRAPH
                self._in_heading = "#" in mark[0]
                return mark.end() - at
            if not final and _LINE_MARK_SO_FAR.match(text, at):
                return None
            self._line_start = False
        char = text[at]
        if char.isspace():
            self._space(char)
            return 1
        self._newlines = 0
        if char in "*_~![" and not final and at + 1 == len(text):
            return None
        following = text[at + 1 : at + 2]
        if char == "[":
            if link := _LINK.match(text, at):
                self._rest = text[:at] + link[1] + text[link.end() :]
                return 0
            if not final and _LINK_SO_FAR.match(text, at):
                return None
        elif char == "<":
            if tag := _TAG.match(text, at):
                self._thinking = tag[0] == _THINKING
                if _BREAK.match(tag[0]):
                    self._space(" ")
                return tag.end() - at
            if not final and _TAG_SO_FAR.match(text, at):
                return None
        elif char == "-" and (rule := _RULE.match(text, at)):
            if not final and rule.end() == len(text):
                return None
            self._space(" ")
            return rule.end() - at
        elif char == "-" and not final and len(text) - at < 3 and not text[at:].strip("-"):
            return None
        elif char == "|":
            self._space(" ")
            return 1
        elif self._is_markup(char, following):
            return 1
        self._write(char, out)
        return 1

    def _skip_thoughts(self, at: int, *, final: bool) -> int | None:
        """A model that thinks aloud before it answers is heard only when it answers."""
        end = self._rest.find(_THOUGHT, at)
        if end >= 0:
            self._thinking = False
            self._line_start = not self._last
            return end + len(_THOUGHT) - at
        kept = 0 if final else len(_THOUGHT) - 1
        return max(0, len(self._rest) - kept - at) or None

    def _space(self, char: str) -> None:
        if char == "\n":
            # A heading ends with its line, other text only with an empty one.
            self._newlines += 2 if self._in_heading else 1
            self._in_heading = False
            self._line_start = True
        if self._newlines > 1:
            self._gap = _Gap.PARAGRAPH
        elif self._gap is _Gap.NONE:
            self._gap = _Gap.SPACE

    def _is_markup(self, char: str, following: str) -> bool:
        before = self._last if self._gap is _Gap.NONE else " "
        match char:
            case "*":
                return not (before == " " and (not following or following.isspace()))
            case "_":
                return not (before.isalnum() and following.isalnum())
            case "~":
                return following == "~" or before == "~"
            case "`":
                return True
            case "!":
                return following == "["
        if char in _SPOKEN_SYMBOLS:
            return False
        return char in _UNSPOKEN or unicodedata.category(char) in {"So", "Cs", "Co", "Cn", "Cc", "Cf"}

    def _write(self, char: str, out: list[str]) -> None:
        if self._gap is not _Gap.NONE and self._last:
            # A heading or list item without a full stop would run into the next line when it is spoken.
            if self._gap is _Gap.PARAGRAPH and (self._last.isalnum() or self._last in "\"')]”’"):
                out.append(".")
            out.append(" ")
        self._gap = _Gap.NONE
        out.append(char)
        self._last = char


def clean(text: str) -> str:
    """The whole of `text` as it will be said."""
    cleaner = SpokenText()
    return cleaner.feed(text) + cleaner.finish()
