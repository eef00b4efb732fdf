# mypy: disable-error-code="import-not-found, import-untyped, no-any-return"
"""Whether a made face is still the same person, by a face recogniser that this project did not train.

The average content distance of Vougioukas et al., with dlib's ResNet (King, 2017; public domain; 99.4 % on
LFW), which calls two pictures of less than 0.6 apart the same person. It only measures: nothing learns it.
"""

import importlib.util
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from parley.engines import Picture
from parley.errors import EngineUnavailable
from training.sda.faces import TEMPLATE

Floats = NDArray[np.float32]

SIZE: Final = 256  # pixels that a face is brought to before it is looked at
CHIP: Final = 150  # the recogniser's input
PADDING: Final = 0.25  # around the face, as it was trained
EVERY: Final = 5  # frames of a clip that are looked at
UNDER_NOSE: Final = (0.5, 0.575)  # of the aligned square
_ORDER: Final = (3, 2, 0, 1)  # of the eye corners in `TEMPLATE`, as dlib's five points have them


class Recogniser:
    """Faces to points of a space in which one person's lie close together.

    Raises:
        EngineUnavailable: dlib or its model is not installed.
    """

    def __init__(self) -> None:
        found = importlib.util.find_spec("face_recognition_models")
        try:
            import dlib
        except ImportError as error:
            raise EngineUnavailable("dlib is not installed.", fix="scripts/setup python train") from error
        if found is None or not found.submodule_search_locations:
            raise EngineUnavailable(
                "The recogniser's model is not installed.", fix="pip install face_recognition_models"
            )
        model = Path(
            found.submodule_search_locations[0], "models", "dlib_face_recognition_resnet_model_v1.dat"
        )
        self._dlib, self._net = dlib, dlib.face_recognition_model_v1(str(model))
        points = [TEMPLATE[corner] for corner in _ORDER] + [np.array(UNDER_NOSE)]
        self._points = dlib.full_object_detection(
            dlib.rectangle(0, 0, SIZE - 1, SIZE - 1),
            [dlib.point(round(x * SIZE), round(y * SIZE)) for x, y in points],
        )

    def embed(self, aligned: Picture) -> Floats:
        """RGB uint8 [size, size, 3], aligned as `faces.py` does, to float32 [128]."""
        large = cv2.resize(np.ascontiguousarray(aligned), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
        chip = self._dlib.get_face_chip(large, self._points, size=CHIP, padding=PADDING)
        return np.array(self._net.compute_face_descriptor(chip), np.float32)

    def distance(self, frames: NDArray[np.uint8], still: Picture) -> float:
        """Mean distance of every fifth of [T, size, size, 3] from a still."""
        whom = self.embed(still)
        return float(np.mean([np.linalg.norm(self.embed(frame) - whom) for frame in frames[::EVERY]]))

    def strangers(self, stills: dict[str, Picture]) -> float:
        """Mean distance between the stills of different people."""
        points = np.stack([self.embed(still) for still in stills.values()])
        apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
        return float(apart[np.triu_indices(len(points), 1)].mean())
