from pathlib import Path

import pytest

from parley.errors import ConfigError
from training.llm import wordnet

LINE = "00001740 03 n 01 {word} 0 000 @ 00000000 n 0000 | {gloss}  \n"


def test_examples_are_plain_phrases_of_every_kind_of_word(tmp_path: Path) -> None:
    glosses = {
        "noun": 'a bird; "a heron stood in the reeds"; "short"',
        "verb": 'to go; "he walked to the river"; "he walked to the river"',
        "adj": 'of 1914; "the war of 1914 had begun"',
        "adv": 'so; "she spoke very softly"',
    }
    for kind, gloss in glosses.items():
        (tmp_path / f"data.{kind}").write_text(LINE.format(word="word", gloss=gloss))
    assert wordnet.examples(tmp_path) == [
        "a heron stood in the reeds",
        "he walked to the river",
        "she spoke very softly",
    ]


def test_a_missing_wordnet_is_named_with_its_package(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.noun") as caught:
        wordnet.examples(tmp_path)
    assert "wordnet-base" in caught.value.fix
