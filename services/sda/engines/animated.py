"""The `animated` engine: a drawn avatar, whose generator's styles speech moves."""

from pathlib import Path

from parley.avatars import Avatar
from parley.engines import Picture
from services.sda.engines.gan import GanEngine
from services.sda.face.generator import Identity
from services.sda.face.styles import WEIGHTS, StyleGenerator


class AnimatedEngine(GanEngine):
    """Draws the avatars whose still is a drawing, as the `gan` engine draws the others.

    What speech does not move is computed once an avatar: content styles, first features, details, and all of
    the picture outside of the window about eyes, mouth and chin.

    Args:
        avatars_dir: Folder of avatars.
        weights: Exported generator.
        batch: See `Generator`.

    Raises:
        EngineUnavailable: The generator is missing or damaged.
    """

    name = "animated"
    kind = "speech-driven StyleGAN"
    stills_by = "training.animated.still"
    generator: StyleGenerator

    def __init__(self, avatars_dir: Path, weights: Path = WEIGHTS, *, batch: int = 0) -> None:
        super().__init__(avatars_dir, weights, batch=batch)

    def _load(self, weights: Path, batch: int) -> StyleGenerator:
        return StyleGenerator(weights, batch=batch)

    def _who(self, about: Avatar, face: Picture) -> Identity:
        """Of the still, with the manifest's sliders."""
        sliders = about.face.sliders
        return self.generator.character(face, (sliders.smile, sliders.brow, sliders.eyes))
