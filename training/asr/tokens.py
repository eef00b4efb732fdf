"""Text as Whisper's decoder sees it; and the small tokenizer of a Whisper that is trained from nothing.

The decoder reads `<|startofprev|> words to expect <|startoftranscript|> … <|notimestamps|> text` and is asked
for the text, for `<|endoftext|>`, and, right after `<|startoftranscript|>`, for whether anybody speaks
(Radford et al. 2022, section 2.3).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

IGNORED: Final = -100
_SPECIAL: Final = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    "<|en|>",
    "<|translate|>",
    "<|transcribe|>",
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
)
_MOST_PROMPT: Final = 60
# Kept whole, each with its space: faster-whisper forbids what " -" and " '" begin with, and a lone space
# begins every word that has no piece of its own.
_WHOLE: Final = ("-", "'", *"abcdefghijklmnopqrstuvwxyz")


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the decoder reads, and what it is asked for at each place; IGNORED where nothing is."""

    read: list[int]
    asked: list[int]


class Codec:
    """A Whisper's tokenizer."""

    def __init__(self, tokenizer: Tokenizer, *, multilingual: bool, language: str = "en") -> None:
        """Takes the tokenizer.

        Args:
            tokenizer: Of any Whisper.
            multilingual: Whether its decoder expects to be told language and task.
            language: Two letters.
        """
        self._tokenizer = tokenizer
        self.end = self._id("<|endoftext|>")
        self.start = self._id("<|startoftranscript|>")
        self.no_timestamps = self._id("<|notimestamps|>")
        self.previous = self._id("<|startofprev|>")
        silent = tokenizer.token_to_id("<|nospeech|>")
        self.no_speech = self._id("<|nocaptions|>") if silent is None else silent
        self.task = [self._id(f"<|{language}|>"), self._id("<|transcribe|>")] if multilingual else []

    @property
    def prompt(self) -> list[int]:
        """What every transcript begins with."""
        return [self.start, *self.task, self.no_timestamps]

    def text(self, tokens: Iterable[int]) -> str:
        """The words of a transcript, without what is not text."""
        decoded: str = self._tokenizer.decode([token for token in tokens if token < self.end])
        return decoded.strip()

    def lesson(self, text: str, expected: Sequence[str] = ()) -> Lesson:
        """A clip's lesson; an empty text is one in which nobody speaks.

        Args:
            text: What is said.
            expected: Words that the decoder is told to expect.
        """
        before = [self.previous, *self._encode(" ".join(expected))[:_MOST_PROMPT]] if expected else []
        said = [*self._encode(text), self.end]
        whole = [*before, *self.prompt, *said]
        asked = [IGNORED] * len(whole)
        spoken = self.task[0] if self.task else self.no_timestamps
        asked[len(before)] = spoken if text else self.no_speech
        asked[-len(said) - 1 : -1] = said
        return Lesson(whole[:-1], asked[:-1])

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(f" {text.strip()}", add_special_tokens=False).ids
        return ids if text.strip() else []

    def _id(self, token: str) -> int:
        number: int | None = self._tokenizer.token_to_id(token)
        if number is None:
            raise ValueError(f"this tokenizer has no {token}: it is not Whisper's")
        return number


def small_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Byte-level BPE learnt from `texts`, with `size` pieces and Whisper's special tokens after them."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    lines = [f" {text}" for text in texts]
    lines += [f" {letter}" for letter in _WHOLE] * len(lines)
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(lines, trainer)
    times = [f"<|{n * 0.02:.2f}|>" for n in range(1501)]
    made.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in (*_SPECIAL, *times)])
    return made
