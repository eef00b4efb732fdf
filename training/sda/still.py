"""A picture to what the `gan` engine needs of an avatar: `avatars/NAME/face/still.npz`.

    python -m training.sda.still --avatar mira                    # a default avatar, rendered
    python -m training.sda.still --avatar ada --photo ada.jpg     # who agreed: parley consent

The face is found by mediapipe and framed as the rendered ones are. A photo tells no depth: the head is taken
to be as deep as an average one, which is enough for small motions.
"""

from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from parley import consent
from parley.engines import Picture
from parley.errors import MediaError
from parley.intake.decode import decode_picture
from services.sda.face import portrait
from training.data.synthetic_faces.bank import CAMERA, FIELD_OF_VIEW, SIZE, displacement, to_bytes
from training.data.synthetic_faces.parameters import IDENTITIES
from training.sda.faces import STABLE, TEMPLATE, Landmarker, matrix, similarity

COARSE = 96  # the displacement fields are smooth: nodes a side that are stored
SHARE = 0.64  # of a rendered picture's side that the aligned square takes
EYES_AT = 0.414  # height of the eyes in a rendered picture, from its top
Doubles = NDArray[np.float64]


def framed(photo: Picture, size: int = SIZE) -> Picture:
    """Cuts a photo so that its face stands where a rendered one does: RGB uint8 [size, size, 3].

    Raises:
        NoFace: None is seen.
        SeveralFaces: More than one is.
        MediaError: The face is too small to be enlarged so much.
    """
    with Landmarker() as landmarker:
        points = landmarker.find(photo)[list(STABLE)]
    placed = matrix(similarity(points), 1) * SHARE
    placed[:, 2] += (0.5 - SHARE / 2, EYES_AT - TEMPLATE[:4, 1].mean() * SHARE)
    scale = float(np.hypot(placed[0, 0], placed[1, 0])) * size
    if scale > 4:
        raise MediaError(
            f"The face in the photo is {scale:.1f} times too small.",
            fix="Use a photo of the face from nearer by.",
        )
    out: Picture = cv2.warpAffine(
        photo, placed * size, (size, size), flags=cv2.INTER_AREA if scale < 0.8 else cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )  # type: ignore[assignment]  # fmt: skip
    return out


def average_depth(size: int = SIZE) -> NDArray[np.float32]:
    """z in cm of an average head and shoulders in a rendered picture's frame; -99 behind: [size, size]."""
    u = (np.arange(size) + 0.5) / size * 2 - 1
    x, up = np.meshgrid(u * CAMERA[2] * FIELD_OF_VIEW, -u * CAMERA[2] * FIELD_OF_VIEW)
    y = up + CAMERA[1]

    def ball(centre: tuple[float, float, float], radius: tuple[float, float, float]) -> Doubles:
        inside = 1 - ((x - centre[0]) / radius[0]) ** 2 - ((y - centre[1]) / radius[1]) ** 2
        return np.where(inside > 0, centre[2] + radius[2] * np.sqrt(np.maximum(inside, 0)), -99.0)

    head, neck = ball((0, -0.5, -1), (8.2, 11.5, 10)), ball((0, -13, -3), (5, 8, 4.5))
    chest = ball((0, -27, -4), (17, 10, 6))
    return np.maximum(np.maximum(head, neck), chest).astype(np.float32)


def prepare(picture: Picture, depth: NDArray[np.float32], path: Path) -> None:
    """Finds the face of a framed picture and writes the still."""
    with Landmarker() as landmarker:
        points = landmarker.find(picture)[list(STABLE)]
    fields = [
        [cv2.resize(plane, (COARSE, COARSE), interpolation=cv2.INTER_AREA) for plane in field]
        for field in displacement(depth)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    portrait.save(path, picture, matrix(similarity(points), 1), np.array(fields))


def main(
    avatar: Annotated[str, typer.Option(help="Folder in avatars/.")],
    photo: Annotated[Path | None, typer.Option(help="Photo of the face, from the front.")] = None,
    avatars: Annotated[Path, typer.Option(help="Folder of avatars.")] = Path("avatars"),
) -> None:
    """Prepare an avatar's still for the `gan` engine.

    Raises:
        ConsentMissing: A photo of a person of whom there is no consent record.
    """
    if photo is None:
        from training.data.synthetic_faces.renderer import Renderer

        with Renderer(IDENTITIES[avatar], size=SIZE, supersample=3) as renderer:
            colours, depth = renderer.render()
        picture = to_bytes(colours)
    else:
        consent.require(avatars / avatar, "face")
        picture = framed(decode_picture(photo.read_bytes()))
        depth = average_depth()
    path = avatars / avatar / "face" / "still.npz"
    prepare(picture, depth, path)
    print(f"{path}: {path.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
