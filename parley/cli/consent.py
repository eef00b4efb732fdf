"""`parley consent …`: records of the people whom avatars are like."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console

from parley import consent
from parley.avatars import NAME
from parley.errors import BadRequest
from parley.settings import Settings

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The avatar's folder.")]
Folder = Annotated[Path | None, typer.Option("--avatars", help="Folder of avatars. [default: as set]")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


@app.command()
def record(
    avatar: Name,
    person: Annotated[str, typer.Option(help="Who agreed.")],
    purpose: Annotated[list[str], typer.Option(help="face, voice or text; may be given again.")],
    statement: Annotated[str, typer.Option(help="What they said or signed, in their words.")],
    evidence: Annotated[str, typer.Option(help="Where the signed paper or the recording is kept.")],
    granted: Day = None,
    expires: Day = None,
    avatars: Folder = None,
) -> None:
    """Write down that a person agreed; a record that is there is replaced."""
    told = {
        "person": person,
        "granted": granted.date() if granted else date.today(),
        "purposes": purpose,
        "statement": statement,
        "evidence": evidence,
        "expires": expires.date() if expires else None,
    }
    try:
        made = consent.Consent.model_validate(told)
    except ValidationError as error:
        wrong = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
        raise BadRequest(f"This is no whole consent: {wrong}.") from error
    folder = _folder(avatar, avatars)
    consent.save(folder, made)
    _show(folder, made)


@app.command()
def show(avatar: Name, avatars: Folder = None) -> None:
    """Print the record, and for what it holds today."""
    folder = _folder(avatar, avatars)
    _show(folder, consent.load(folder))


@app.command()
def withdraw(avatar: Name, avatars: Folder = None) -> None:
    """Write down that the person took it back: the avatar is refused from today on."""
    folder = _folder(avatar, avatars)
    ended = consent.load(folder).model_copy(update={"withdrawn": date.today()})
    consent.save(folder, ended)
    _show(folder, ended)


def _folder(avatar: str, avatars: Path | None) -> Path:
    if not NAME.fullmatch(avatar):
        raise BadRequest(f"{avatar!r} cannot be an avatar's name.", fix="Use a-z, 0-9, - and _.")
    return (avatars or Settings().avatars_dir) / avatar


def _show(folder: Path, record: consent.Consent) -> None:
    lines = [f"{folder / consent.FILE}"]
    lines += [f"{key}: {value}" for key, value in record.model_dump(mode="json", exclude_none=True).items()]
    for purpose in record.purposes:
        lines.append(f"{purpose}: {record.reason_against(purpose, date.today()) or 'holds today'}")
    Console().print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
