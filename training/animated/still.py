# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""A drawing to what the `animated` engine needs of an avatar: `avatars/NAME/face/still.npz`.

    python -m training.animated.still --avatar juno                  # a default avatar, or "seed-17"
    python -m training.animated.still --avatar ada --photo ada.jpg   # of who agreed: parley consent

A drawing tells no depth: the head is taken to be as deep as an average one. With a photo, the encoder that
learnt from realistic heads gives the styles, and their drawn self is drawn (photo.py).
"""

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from parley import consent
from parley.engines import Picture
from parley.intake.decode import decode_picture
from services.sda.face import portrait
from services.sda.face.styles import WEIGHTS
from training.data.cartoon import characters, drawing
from training.data.cartoon.characters import Style
from training.data.synthetic_faces.bank import displacement
from training.sda.still import COARSE, average_depth

SIZE = 256
PORTRAIT = 512  # pixels of the picture that people pick by; of a photo when it is framed
LOWER = 0.045  # of the picture, by which a drawn head stands lower than a rendered one


def depth(size: int) -> NDArray[np.float32]:
    """Of a drawn head: an average one's, moved down. See `training.sda.still.average_depth`."""
    moved: NDArray[np.float32] = np.roll(average_depth(size), round(LOWER * size), 0)
    moved[: round(LOWER * size)] = -99
    return moved


def prepare(picture: Picture, path: Path) -> None:
    """Writes the still of a drawing, RGB uint8 [SIZE, SIZE, 3]: the generator's square is all of it."""
    fields = [
        [cv2.resize(plane, (COARSE, COARSE), interpolation=cv2.INTER_AREA) for plane in field]
        for field in displacement(depth(SIZE))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    portrait.save(path, picture, np.array([[1 / SIZE, 0, 0], [0, 1 / SIZE, 0]]), np.array(fields))


def drawn(photo: Path, weights: Path, style: Style = "soft", *, painted: bool = False) -> Picture:
    """The drawn self of whoever is in a photo.

    Raises:
        NoFace: None is seen.
        SeveralFaces: More than one is.
        MediaError: The face is too small to be enlarged so much.
    """
    from training.animated.photo import draw
    from training.sda.still import framed

    seen = framed(decode_picture(photo.read_bytes()), PORTRAIT)
    return draw(seen, weights, style, painted=painted)


def main(
    avatar: Annotated[str, typer.Option(help="Folder in avatars/.")],
    photo: Annotated[Path | None, typer.Option(help="Photo of the face, from the front.")] = None,
    character: Annotated[str, typer.Option(help='"juno" or "seed-17"; empty: as the avatar.')] = "",
    style: Annotated[Style, typer.Option(help="With a photo: how it is drawn.")] = "soft",
    painted: Annotated[bool, typer.Option(help="With a photo: by the generator alone, softly.")] = False,
    weights: Annotated[Path, typer.Option(help="Exported generator.")] = WEIGHTS,
    avatars: Annotated[Path, typer.Option(help="Folder of avatars.")] = Path("avatars"),
) -> None:
    """Prepare an avatar's still for the `animated` engine.

    Raises:
        ConsentMissing: A photo of a person of whom there is no consent record.
    """
    path = avatars / avatar / "face" / "still.npz"
    if photo is None:
        picture = drawing.draw(characters.named(character or avatar), drawing.Face(), SIZE)
    else:
        consent.require(avatars / avatar, "face")
        picture = drawn(photo, weights, style, painted=painted)
    prepare(picture, path)
    print(f"{path}: {path.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
