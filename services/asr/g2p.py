"""Pronunciations by rule: what flite would say."""

import re
import shutil
import subprocess
from functools import lru_cache

from parley.errors import BadRequest, EngineUnavailable

PHONES = frozenset(
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY "
    "P R S SH T TH UH UW V W Y Z ZH".split()
)
_WORD = re.compile(r"[A-Za-z][A-Za-z'.-]{0,63}")


def check_pronunciation(word: str, phones: str) -> str:
    """ARPAbet without stress marks, "P AA R L IY", from any case and with or without them.

    Raises:
        BadRequest: Something in `phones` is no ARPAbet phone.
    """
    cleaned = [phone.rstrip("012").upper() for phone in phones.split()]
    unknown = [phone for phone in cleaned if phone not in PHONES]
    if unknown or not cleaned:
        raise BadRequest(
            f"{phones!r}, the pronunciation of {word!r}, is not ARPAbet"
            f" ({', '.join(unknown) or 'it is empty'}).",
            fix=f"Use these phones: {' '.join(sorted(PHONES))}.",
        )
    return " ".join(cleaned)


@lru_cache(maxsize=4096)
def pronounce(word: str) -> str:
    """ARPAbet pronunciation of one English word by flite's lexicon and letter-to-sound rules.

    Raises:
        BadRequest: Not a word of Latin letters.
        EngineUnavailable: flite is not installed.
    """
    if not _WORD.fullmatch(word):
        raise BadRequest(
            f"{word!r} cannot be pronounced by rule.", fix="Give its ARPAbet pronunciation in the lexicon."
        )
    flite = shutil.which("flite")
    if flite is None:
        raise EngineUnavailable(
            f"flite, which knows how to pronounce {word!r}, is not installed.",
            fix=f"apt install flite, or give {word!r} an ARPAbet pronunciation in the avatar's lexicon.",
        )
    said = subprocess.run(
        [flite, "-ps", "-t", f"{word} ", "none"], capture_output=True, text=True, timeout=10, check=True
    ).stdout
    phones = [p.rstrip("012").upper() for p in said.split() if p != "pau"]
    return check_pronunciation(word, " ".join("AH" if phone == "AX" else phone for phone in phones))
