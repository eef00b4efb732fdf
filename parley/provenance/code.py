"""16 payload bits as 48 coded ones: with a checksum of 8 they fill two words of the extended Golay code.

The [24, 12, 8] code alone corrects any three wrong bits of a word (MacWilliams and Sloane, The Theory of
Error-Correcting Codes, chapter 2). Here all 65 536 payloads are compared with the soft bits at once, so that
the checksum corrects, too.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

PAYLOAD_BITS: Final = 16
CODED_BITS: Final = 48
_GENERATOR = 0xC75  # x^11 + x^10 + x^6 + x^5 + x^4 + x^2 + 1
_CRC8 = 0x2F  # of AUTOSAR: detects all errors of up to 3 bits in words this short


def crc8(value: int) -> int:
    """CRC-8 (polynomial 0x2F) of a 16 bit number."""
    register = value << 8
    for bit in range(23, 7, -1):
        if register >> bit & 1:
            register ^= (0x100 | _CRC8) << (bit - 8)
    return register & 0xFF


@cache
def codebook() -> NDArray[np.int8]:
    """All words of the code as ±1, int8 [4096, 24]; row n carries the 12 bits of n."""
    words = np.zeros((4096, 24), np.int8)
    for message in range(4096):
        rest = message << 11
        for bit in range(22, 10, -1):
            if rest >> bit & 1:
                rest ^= _GENERATOR << (bit - 11)
        word = message << 11 | rest
        word = word << 1 | word.bit_count() & 1
        words[message] = [1 - 2 * (word >> bit & 1) for bit in range(23, -1, -1)]
    words.setflags(write=False)
    return words


def encode(payload: int) -> NDArray[np.int8]:
    """The coded bits of a 16 bit payload as ±1, int8 [48].

    Raises:
        ValueError: It has more than 16 bits.
    """
    if not 0 <= payload < 1 << PAYLOAD_BITS:
        raise ValueError(f"{payload} does not fit into {PAYLOAD_BITS} bits.")
    checked = payload << 8 | crc8(payload)
    return np.concatenate([codebook()[checked >> 12], codebook()[checked & 0xFFF]])


@cache
def _halves() -> NDArray[np.int64]:
    """Which word of the code each half of each payload is, int [2, 65536]."""
    checked = np.array([payload << 8 | crc8(payload) for payload in range(1 << PAYLOAD_BITS)])
    halves = np.stack([checked >> 12, checked & 0xFFF])
    halves.setflags(write=False)
    return halves


def decode(soft: NDArray[np.float64]) -> tuple[int, float]:
    """The payload that agrees best with 48 soft bits (float [48], positive: +1), and its sum of agreement."""
    first, second = (codebook() @ half for half in soft.reshape(2, 24))
    halves = _halves()
    agreement = first[halves[0]] + second[halves[1]]
    best = int(np.argmax(agreement))
    return best, float(agreement[best])
