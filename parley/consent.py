"""Consent records: who agreed that an avatar has their face or voice, when, to what, in which words.

`consent.yaml` lies in the avatar's folder. Without a record that holds, nothing is made of a person's picture
or voice, and an avatar that is said to be like a person does not load.
"""

from datetime import date
from pathlib import Path
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley.errors import ParleyError

FILE: Final = "consent.yaml"
Purpose = Literal["face", "voice", "text"]


class ConsentMissing(ParleyError):
    """A person's likeness is wanted without a consent record that holds."""

    code = "consent_missing"


class Consent(BaseModel):
    """One person's consent.

    Attributes:
        person: Their name.
        granted: The day on which they agreed.
        purposes: What may be made of them.
        statement: What they said or signed, in their words.
        evidence: Where the signed paper or the recording is kept.
        expires: The last day on which it holds; None: until it is withdrawn.
        withdrawn: The day on which they took it back.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    person: str = Field(min_length=2)
    granted: date
    purposes: tuple[Purpose, ...] = Field(min_length=1)
    statement: str = Field(min_length=20)
    evidence: str = Field(min_length=1)
    expires: date | None = None
    withdrawn: date | None = None

    def reason_against(self, purpose: Purpose, today: date) -> str:
        """Why it does not hold for `purpose`; empty if it does."""
        if self.withdrawn is not None and self.withdrawn <= today:
            return f"{self.person} withdrew their consent on {self.withdrawn}."
        if self.expires is not None and self.expires < today:
            return f"The consent of {self.person} ended on {self.expires}."
        if self.granted > today:
            return f"The consent of {self.person} begins on {self.granted}."
        if purpose not in self.purposes:
            return f"{self.person} agreed to {', '.join(self.purposes)}, not to {purpose}."
        return ""


def load(folder: Path) -> Consent:
    """The record in an avatar's folder.

    Raises:
        ConsentMissing: There is none, or it is malformed; the message names the file and the field.
    """
    path = folder / FILE
    try:
        return Consent.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ConsentMissing(f"There is no consent record for {folder.name!r}.", fix=_fix(folder)) from error
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConsentMissing(f"{path} is not a consent record: {error}", fix=_fix(folder)) from error


def require(folder: Path, purpose: Purpose, *, today: date | None = None) -> Consent:
    """The record, if it holds; call it before anything is made of a person.

    Args:
        folder: Of the avatar.
        purpose: What is to be made.
        today: None: today.

    Raises:
        ConsentMissing: There is no record, or it does not hold; the message says why, and what to do.
    """
    consent = load(folder)
    if reason := consent.reason_against(purpose, today or date.today()):
        raise ConsentMissing(reason, fix=_fix(folder))
    return consent


def save(folder: Path, consent: Consent) -> None:
    """Writes the record, for its owner only.

    Raises:
        ConsentMissing: The folder cannot be written.
    """
    path = folder / FILE
    told = consent.model_dump(mode="json", exclude_none=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(told, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise ConsentMissing(f"{path} cannot be written: {error}") from error


def _fix(folder: Path) -> str:
    return (
        f"Ask the person, keep what they signed, and run `parley consent record {folder.name} --person … "
        "--purpose face --statement … --evidence …`."
    )
