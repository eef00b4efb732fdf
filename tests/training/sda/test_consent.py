"""The face trainer asks for consent before it learns one person's face."""

from pathlib import Path

import pytest

from parley.consent import ConsentMissing

pytest.importorskip("torch")


def test_a_person_is_not_learnt_without_consent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.sda.train import train

    monkeypatch.setenv("PARLEY_AVATARS_DIR", str(tmp_path))
    with pytest.raises(ConsentMissing, match="no consent record for 'ada'"):
        train(Path("nowhere.yaml"), avatar="ada")
