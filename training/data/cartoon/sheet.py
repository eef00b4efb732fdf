"""A contact sheet of drawn characters and of what a face can do.

python -m training.data.cartoon.sheet cartoon.png
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from parley.engines import Picture
from services.sda.face.controls import VISEMES
from training.data.cartoon.characters import JUNO, STYLES, held_out
from training.data.cartoon.drawing import Face, draw

COLUMNS, ROWS, PIXELS = 8, 3, 160
SOUNDS = ("sil", "PBM", "FV", "TH", "AA", "IY", "UW", "CHSH")
FACES = (
    Face(lid=0.6), Face(lid=1.0), Face(smile=1.0), Face(smile=-1.0),
    Face(brows=1.0), Face(brows=-1.0), Face(eyes=1.0), Face(gaze_x=0.12),
)  # fmt: skip


def sheet() -> Picture:
    """Rows of characters, of one character's mouths in each style, and of its eyes."""
    who = [draw(held_out(index), Face(), PIXELS) for index in range(ROWS * COLUMNS)]
    rows = [np.hstack(who[at : at + COLUMNS]) for at in range(0, len(who), COLUMNS)]
    for style in STYLES:
        drawn = replace(JUNO, style=style)
        rows.append(np.hstack([draw(drawn, Face(tuple(VISEMES[s].mouth)), PIXELS) for s in SOUNDS]))
    rows.append(np.hstack([draw(JUNO, face, PIXELS) for face in FACES]))
    return np.vstack(rows)


def main(out: Annotated[Path, typer.Argument(help="A .png or .jpg.")]) -> None:
    """Write the sheet."""
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), cv2.cvtColor(sheet(), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    typer.run(main)
