"""Trigram models in pocketsphinx's binary format, as arrays.

pocketsphinx 5.1 reads them, but cannot write the bundled one as text (it crashes), nor change more than its
unigrams. The format: a header; tables of 65 536 values each, for the probabilities and back-off weights of
bigrams and the probabilities of trigrams; unigrams; bigrams and trigrams packed bit by bit, as a trie that
begins with the *last* word of an n-gram; the words. All little-endian.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parley.errors import ConfigError

Floats = NDArray[np.float64]
Keys = NDArray[np.int64]

_MAGIC: Final = b"Trie Language Model"
_TABLE: Final = 1 << 16
_PADDING_BYTES: Final = 8
_CHUNK: Final = 1 << 16
# Log-probabilities are stored to this base.
_LOG_BASE: Final = float(np.log(1.0001))
_UNIGRAM: Final = np.dtype([("prob", "<f4"), ("bow", "<f4"), ("next", "<u4")])


@dataclass
class TrigramModel:
    """A back-off trigram model (Katz, 1987). Probabilities and back-off weights are natural logarithms.

    With V words, the bigram "h w" has the key w·V + h, the trigram "g h w" the key (w·V + h)·V + g, where
    letters stand for indices into `words`.

    Attributes:
        words: [V]
        prob1: P(w), float64 [V].
        bow1: Back-off weight of the history w, float64 [V].
        keys2: Bigrams, ascending, int64 [B].
        prob2: P(w|h), float64 [B].
        bow2: Back-off weight of the history "h w", float64 [B].
        keys3: Trigrams, ascending, int64 [T]; each has its "h w" among the bigrams.
        prob3: P(w|g h), float64 [T].
    """

    words: list[str]
    prob1: Floats
    bow1: Floats
    keys2: Keys
    prob2: Floats
    bow2: Floats
    keys3: Keys
    prob3: Floats


def read(path: Path) -> TrigramModel:
    """Reads a model.

    Raises:
        ConfigError: The file is no trigram model in pocketsphinx's binary format.
    """
    data = path.read_bytes()
    at = len(_MAGIC)
    if data[:at] != _MAGIC or data[at] != 3:
        raise ConfigError(f"{path} is not a trigram model in pocketsphinx's binary format.")
    vocabulary, bigrams, trigrams = (int(n) for n in np.frombuffer(data, "<u4", 3, at + 1))
    at += 1 + 3 * 4 + 4  # the last 4 told the kind of table once
    tables = np.frombuffer(data, "<f4", 3 * _TABLE, at).reshape(3, _TABLE).astype(np.float64) * _LOG_BASE
    at += 3 * 4 * _TABLE
    unigrams = np.frombuffer(data, _UNIGRAM, vocabulary + 1, at)
    at += unigrams.nbytes
    widths2, widths3 = _widths(vocabulary, trigrams)
    size2, size3 = _packed_bytes(bigrams, widths2), _packed_bytes(trigrams, widths3)
    starts2 = unigrams["next"].astype(np.int64)
    bigrams = int(starts2[-1])  # the header may promise a few more
    before, bow2, prob2, starts3 = _unpack(data[at : at + size2], bigrams + 1, widths2)
    first, prob3 = _unpack(data[at + size2 : at + size2 + size3], int(starts3[-1]), widths3)
    at += size2 + size3 + 4
    keys2 = np.repeat(np.arange(vocabulary), np.diff(starts2)) * vocabulary + before[:bigrams]
    keys3 = np.repeat(keys2, np.diff(starts3)) * vocabulary + first
    order3 = np.argsort(keys3, kind="stable")  # the bundled model has two places out of order
    return TrigramModel(
        words=data[at:].rstrip(b"\0").decode().split("\0"),
        prob1=unigrams["prob"][:vocabulary].astype(np.float64) * _LOG_BASE,
        bow1=unigrams["bow"][:vocabulary].astype(np.float64) * _LOG_BASE,
        keys2=keys2,
        prob2=tables[0][prob2[:bigrams]],
        bow2=tables[1][bow2[:bigrams]],
        keys3=keys3[order3],
        prob3=tables[2][prob3][order3],
    )


def write(model: TrigramModel, path: Path) -> None:
    """Writes a model for pocketsphinx."""
    vocabulary, bigrams, trigrams = len(model.words), len(model.keys2), len(model.keys3)
    unigrams = np.zeros(vocabulary + 1, _UNIGRAM)
    unigrams["prob"][:vocabulary] = model.prob1 / _LOG_BASE
    unigrams["bow"][:vocabulary] = model.bow1 / _LOG_BASE
    unigrams["next"] = np.searchsorted(model.keys2, np.arange(vocabulary + 1) * vocabulary)
    tables, codes = zip(
        *(_quantise(x / _LOG_BASE) for x in (model.prob2, model.bow2, model.prob3)), strict=True
    )
    next3 = np.append(np.searchsorted(model.keys3, model.keys2 * vocabulary), trigrams)
    before, bow2, prob2 = (np.append(x, 0) for x in (model.keys2 % vocabulary, codes[1], codes[0]))
    widths2, widths3 = _widths(vocabulary, trigrams)
    words = "".join(f"{word}\0" for word in model.words).encode()
    with path.open("wb") as file:
        file.write(_MAGIC + bytes([3]))
        file.write(np.array([vocabulary, bigrams, trigrams, 1], "<u4").tobytes())
        file.write(np.array(tables, "<f4").tobytes())
        file.write(unigrams.tobytes())
        file.write(_pack([before, bow2, prob2, next3], widths2).ljust(_packed_bytes(bigrams, widths2), b"\0"))
        first = _pack([model.keys3 % vocabulary, codes[2]], widths3)
        file.write(first.ljust(_packed_bytes(trigrams, widths3), b"\0"))
        file.write(np.array(len(words), "<u4").tobytes() + words)


def _widths(vocabulary: int, trigrams: int) -> tuple[list[int], list[int]]:
    """Bits of a bigram's word, weight, probability and first trigram; of a trigram's word and probability."""
    word = vocabulary.bit_length()
    return [word, 16, 16, trigrams.bit_length()], [word, 16]


def _packed_bytes(entries: int, widths: list[int]) -> int:
    return ((1 + entries) * sum(widths) + 7) // 8 + _PADDING_BYTES


def _unpack(packed: bytes, entries: int, widths: list[int]) -> list[Keys]:
    """Integers of `widths` bits, lowest bit first: one array [entries] for each width."""
    fields = [np.empty(entries, np.int64) for _ in widths]
    raw = np.frombuffer(packed, np.uint8)
    for start in range(0, entries, _CHUNK):
        count = min(_CHUNK, entries - start)
        first = start * sum(widths) // 8  # a whole number: chunks are multiples of 8 entries
        bits = np.unpackbits(raw[first:], count=count * sum(widths), bitorder="little").reshape(count, -1)
        for field, piece in zip(fields, np.split(bits, np.cumsum(widths)[:-1], axis=1), strict=True):
            padded = np.zeros((count, 32), np.uint8)
            padded[:, : piece.shape[1]] = piece
            field[start : start + count] = np.packbits(padded, bitorder="little").view("<u4")
    return fields


def _pack(fields: list[Keys], widths: list[int]) -> bytes:
    """The inverse of `_unpack`."""
    packed = []
    for start in range(0, len(fields[0]), _CHUNK):
        bits = [
            np.unpackbits(
                field[start : start + _CHUNK].astype("<u4").view(np.uint8), bitorder="little"
            ).reshape(-1, 32)[:, :width]
            for field, width in zip(fields, widths, strict=True)
        ]
        packed.append(np.packbits(np.concatenate(bits, axis=1), bitorder="little").tobytes())
    return b"".join(packed)


def _quantise(values: Floats) -> tuple[Floats, Keys]:
    """A table of 65 536 ascending values, even in rank, and for each value the index of a near one."""
    ordered = np.sort(values)
    table = ordered[np.linspace(0, len(ordered) - 1, _TABLE).round().astype(np.int64)]
    above = np.clip(np.searchsorted(table, values), 1, _TABLE - 1)
    return table, above - (values - table[above - 1] < table[above] - values)
