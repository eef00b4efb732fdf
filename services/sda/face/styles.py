"""The animated face's generator, run by ONNX Runtime: sound to a trajectory of styles, styles to a window.

The graphs have the roles of the realistic face's (`generator.py`), written by `training/animated/export.py`:
`audio` gives how far each layer's style moves, `decoder` draws the part of the picture that speech moves. The
rest of the still is left as it is, so that nothing that should stand still can flicker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parley.engines import Picture
from services.sda.face.generator import Floats, Generator, Identity

WEIGHTS = Path(__file__).parent.parent / "weights" / "animated"


@dataclass(frozen=True, slots=True)
class Character(Identity):
    """An avatar's cached content, its sliders as `code`, and its whole still."""

    still: Picture


class StyleGenerator(Generator):
    """Shared model; see `Generator`."""

    made_by = "animated"

    def __init__(self, folder: Path = WEIGHTS, *, decoder: str | None = None, batch: int = 0) -> None:
        super().__init__(folder, decoder=decoder or "decoder.int8.onnx", batch=batch)
        (top, bottom), (left, right) = self.about["window"]
        self._window = slice(top, bottom), slice(left, right)

    def character(self, still: Picture, sliders: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Character:
        """Of a still, RGB uint8 [size, size, 3]; `sliders` as in `parley.avatars.Sliders`."""
        told: Floats = np.array([sliders], np.float32)
        return Character(told, self.identity(still).skips, still)

    def draw(self, latents: Sequence[Floats], who: Identity) -> list[Picture]:
        """Whole pictures, each RGB uint8 [size, size, 3]; see `Generator.draw`."""
        assert isinstance(who, Character)
        pictures = []
        for drawn in super().draw(latents, who):
            picture = who.still.copy()
            picture[self._window] = drawn
            pictures.append(picture)
        return pictures
