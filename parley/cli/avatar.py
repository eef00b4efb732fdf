"""`parley avatar …`: avatars of one's own."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from parley.avatars import list_avatars, remove_avatar
from parley.cli.extras import installed
from parley.errors import ParleyError
from parley.settings import Settings

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The avatar's folder.")]
Folder = Annotated[Path | None, typer.Option("--avatars", help="Folder of avatars. [default: as set]")]


@app.command()
def new(
    name: Name,
    photo: Annotated[Path, typer.Option(help="The face, from the front.", exists=True, dir_okay=False)],
    text: Annotated[Path, typer.Option(help="What it knows: paragraphs, or Markdown.", exists=True)],
    speech: Annotated[
        Path | None, typer.Option(help="Speech, 3 to 60 s: the likest voice is taken.", exists=True)
    ] = None,
    title: Annotated[str, typer.Option(help="What it is called. [default: its name]")] = "",
    drawn: Annotated[bool, typer.Option("--drawn", help="As a cartoon.")] = False,
    avatars: Folder = None,
) -> None:
    """Make an avatar of someone who agreed (`parley consent record`); services need no restart."""
    with _without_chatter(), installed("train" if drawn else "data"):
        from training.enrol import enrol

        made = enrol(
            name,
            avatars or Settings().avatars_dir,
            photo=photo,
            text=text,
            speech=speech,
            title=title,
            drawn=drawn,
        )
    voice = f"{made.voice.name}, {made.voice.similarity:.2f} alike" if made.voice else "the default one"
    _print(f"{made.folder}: {made.notes} notes; voice: {voice}")
    _print(f"Talk to it: the page, or parley talk QUESTION.wav --avatar {name}")


@app.command(name="list")
def list_(avatars: Folder = None) -> None:
    """Whom one can talk to."""
    for avatar in list_avatars(avatars or Settings().avatars_dir):
        _print(f"{avatar.name}: {avatar.description}")


@app.command()
def remove(
    name: Name,
    avatars: Folder = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete an avatar with everything that was made of the person, the consent record too."""
    root = avatars or Settings().avatars_dir
    if not yes:
        typer.confirm(f"Delete {root / name} and all that is in it?", abort=True)
    _print(f"{remove_avatar(root, name)} is deleted.")


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keeps back what MediaPipe's native code writes to standard error, unless something goes wrong."""
    shown = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except ParleyError:
            raise
        except BaseException:
            os.lseek(kept.fileno(), 0, os.SEEK_SET)
            os.write(shown, kept.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)


def _print(line: str) -> None:
    Console().print(line, markup=False, highlight=False, soft_wrap=True)
