import shutil

import pytest

from parley.errors import BadRequest, EngineUnavailable
from services.asr import g2p


def test_stress_and_case_are_dropped() -> None:
    assert g2p.check_pronunciation("Mira", "m ih1 r ah0") == "M IH R AH"


@pytest.mark.parametrize("phones", ["", "M QQ", "mira"])
def test_what_is_no_arpabet_is_refused_by_name(phones: str) -> None:
    with pytest.raises(BadRequest, match="Mira"):
        g2p.check_pronunciation("Mira", phones)


@pytest.mark.parametrize(
    ("word", "phones"), [("parley", "P AA R L IY"), ("zyzzogeton", "Z IH Z AH G IH T AH N")]
)
def test_pronunciation_by_rule(word: str, phones: str) -> None:
    assert g2p.pronounce(word) == phones


def test_missing_flite_names_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    g2p.pronounce.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EngineUnavailable, match="apt install flite"):
        g2p.pronounce("viseme")


@pytest.mark.parametrize("word", ["", "-v", "3d", "a b", "$(id)", "x" * 80])
def test_only_words_reach_the_synthesiser(word: str) -> None:
    with pytest.raises(BadRequest):
        g2p.pronounce(word)
