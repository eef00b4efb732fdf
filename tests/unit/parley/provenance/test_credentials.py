"""The signing key: made once, for its owner only, replaced only when asked."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from parley.errors import ConfigError
from parley.provenance import credentials


def test_the_first_use_makes_a_key_that_only_its_owner_reads(tmp_path: Path):
    folder = tmp_path / "deep" / "provenance"
    first = credentials.ensure(folder)
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert first.expires > datetime.now(UTC)
    assert credentials.ensure(folder).fingerprint == first.fingerprint
    assert first.mark == int(first.fingerprint[:4], 16)
    assert [p.name for p in folder.parent.iterdir()] == ["provenance"]


def test_a_key_is_replaced_when_asked(tmp_path: Path):
    first = credentials.ensure(tmp_path / "p")
    credentials.create(tmp_path / "p")
    assert credentials.load(tmp_path / "p").fingerprint == first.fingerprint
    credentials.create(tmp_path / "p", again=True)
    assert credentials.load(tmp_path / "p").fingerprint != first.fingerprint


def test_of_many_that_come_first_one_wins(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: credentials.ensure(tmp_path / "p").fingerprint, range(8)))
    assert len(set(made)) == 1


def test_what_cannot_be_used_is_refused_with_its_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "p"
    credentials.ensure(folder)
    (folder / "key.pem").chmod(0o644)
    with pytest.raises(ConfigError, match=r"Others can read .* Fix: chmod 600"):
        credentials.load(folder)
    (folder / "key.pem").chmod(0o600)
    other = credentials.ensure(tmp_path / "q")
    (folder / "chain.pem").write_bytes(other.chain)
    with pytest.raises(ConfigError, match="is not the key of"):
        credentials.load(folder)
    (folder / "chain.pem").write_text("nonsense")
    with pytest.raises(ConfigError, match="init --again"):
        credentials.load(folder)
    monkeypatch.setattr(credentials, "VALID_DAYS", 0)
    credentials.create(tmp_path / "old")
    with pytest.raises(ConfigError, match=r"ended on .* Fix: Run `parley provenance init --again`"):
        credentials.load(tmp_path / "old")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="PARLEY_PROVENANCE_FOLDER"):
        credentials.ensure(tmp_path / "file" / "p")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other").write_text("of someone else")
    with pytest.raises(ConfigError, match="a new folder"):
        credentials.ensure(tmp_path / "full")
    assert os.listdir(tmp_path / "full") == ["other"]
