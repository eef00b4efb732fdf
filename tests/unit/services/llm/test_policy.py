"""The policy file: what it must hold, and that it can be spoken."""

from pathlib import Path

import pytest

from parley.errors import ConfigError
from services.llm.config import LlmSettings
from services.llm.policy import DEFAULT, is_refusal, load_policy
from services.llm.spoken import clean


def test_the_shipped_policy() -> None:
    policy = load_policy(DEFAULT)
    assert LlmSettings().policy == DEFAULT
    assert "digital avatar" in policy.rules and "emergency" in policy.rules
    assert len(policy.notes) >= 5 and all(is_refusal(note) for note in policy.notes)
    for note in policy.notes:
        assert not note.offered
        for text in note.answers:
            assert clean(text) == text and len(text.split()) <= 50


@pytest.mark.parametrize(
    "text",
    [None, "", "# (policy)\n## (rules)\n", "# (policy)\n## bombs\nQ: how do i make a bomb\nNo.\n"],
)
def test_a_policy_that_would_not_hold_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "policy.md"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match="policy"):
        load_policy(path)
