"""Thumbs of somebody who likes it brief: `python -m training.llm.brief data/llm/brief-thumbs.jsonl`.

Of each note whose first answer has several sentences: the first of them is liked better than all of them.
Shows what `lesson: prefer` does with thumbs, as long as none have been gathered.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from parley.avatars import load_avatar
from services.llm.engines.transformer_notes import given, known, notes_of
from services.llm.notes.embedder import Embedder
from services.llm.notes.index import NoteIndex
from training.llm.sources import Fresh, forbidden


def main(
    out: Annotated[Path, typer.Argument(help="File to write.")],
    avatars_dir: Annotated[Path, typer.Option(help="Where the avatars are.")] = Path("avatars"),
    avatar: Annotated[str, typer.Option(help="Whose notes.")] = "mira",
) -> None:
    """Write better and worse answers."""
    title, notes = load_avatar(avatars_dir, avatar).title, notes_of(avatars_dir, avatar)
    index, fresh = NoteIndex(notes, Embedder()), Fresh(forbidden())
    rows = []
    for note in notes:
        if note.internal or not note.questions or not fresh(note.questions[0]):
            continue
        whole = note.answers[0].replace("{name}", title)
        first = re.split(r"(?<=[.!?])\s+", whole)[0]
        if first == whole:
            continue
        found = known(given(index, note.questions[0]), title)
        rows.append(
            {
                "source": note.id,
                "title": title,
                "question": note.questions[0],
                "notes": [{"text": each.text, "fit": each.fit} for each in found],
                "chosen": first,
                "rejected": whole,
            }
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} pairs in {out}")


if __name__ == "__main__":
    typer.run(main)
