"""An avatar's own words."""

import pytest

from parley.errors import BadRequest
from services.tts.engines.phones import stressed, to_cmudict
from services.tts.engines.spoken import MAX_WORD_CHARS, Token, tokens
from services.tts.lexicon import Lexicon


@pytest.mark.parametrize(
    ("written", "phones"),
    [
        ("P AA R L IY", ("p", "aa1", "r", "l", "iy0")),
        ("M IH1 R AH0", ("m", "ih1", "r", "ax0")),
        ("AH", ("ah1",)),
        ("B AE0 G EH1 T", ("b", "ae0", "g", "eh1", "t")),
        ("S T", ()),
        ("QQ AA", ()),
        ("T1 AA", ()),
        ("", ()),
    ],
)
def test_stress(written: str, phones: tuple[str, ...]) -> None:
    assert stressed(written) == phones


def test_allophones_are_phonemes_of_cmudict() -> None:
    assert [to_cmudict(symbol) for symbol in ("ax", "dx", "h#", "iy")] == ["ah", "d", "pau", "iy"]


def test_words_are_marked_whatever_their_case() -> None:
    lexicon = Lexicon({"Parley": "P AA R L IY", "rule": "", "broken": "XX"})
    assert lexicon.mark("Ask parley, PARLEY or parleying by rule.") == (
        "Ask [P AA1 R L IY0], [P AA1 R L IY0] or parleying by rule."
    )


@pytest.mark.parametrize(
    ("phones", "said"), [("M IH R AH", "AH0 Z"), ("K AE T", "T S"), ("B AH S", "S IH0 Z")]
)
def test_possessives(phones: str, said: str) -> None:
    assert Lexicon({"name": phones}).mark("name's dog").removesuffix("] dog").endswith(said)


def test_an_empty_lexicon_changes_nothing() -> None:
    assert Lexicon({}).mark("as it is") == "as it is"


def test_tokens() -> None:
    assert tokens("Ask [M IH1 R AH0], don't wait!") == [
        Token("Ask"),
        Token("", ("m", "ih1", "r", "ax0"), ","),
        Token("don't"),
        Token("wait", (), "!"),
    ]


def test_no_text_reaches_an_engines_own_language() -> None:
    said = tokens('"); (system "touch x") <break/> [IH] [ ; rm')
    for token in said:
        assert token.word == "" or token.word.replace("'", "").isalnum()
        assert token.mark in ("", ",", ".", "?", "!", ";", ":")


def test_long_words_are_cut_and_long_clauses_refused() -> None:
    assert [len(token.word) for token in tokens("a" * 100)] == [MAX_WORD_CHARS, MAX_WORD_CHARS, 20]
    with pytest.raises(BadRequest, match="too long"):
        tokens("word " * 1000)
