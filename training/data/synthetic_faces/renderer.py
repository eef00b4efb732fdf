"""Draws the head with a fragment shader: moderngl on EGL, software (llvmpipe) or any GPU."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from parley.errors import EngineUnavailable
from training.data.synthetic_faces.parameters import Identity, Mouth, Upper, at_rest, expression, uniforms

if TYPE_CHECKING:
    pass

FOLDER = Path(__file__).parent
VERTEX = "#version 330\nin vec2 corner; void main() { gl_Position = vec4(corner, 0, 1); }"
Rect = tuple[int, int, int, int]
CAMERA: Final = (0.0, -2.5)
FIELD_OF_VIEW: Final = 0.205


class Renderer:
    """One identity on one canvas.

    Args:
        identity: Who is drawn.
        size: Width and height of the whole picture in pixels.
        supersample: Rays a pixel, per axis.
        field_of_view: Tangent of half the angle that the picture spans.

    Raises:
        EngineUnavailable: moderngl is not installed.
    """

    def __init__(
        self, identity: Identity, *, size: int, supersample: int = 2, field_of_view: float = FIELD_OF_VIEW
    ) -> None:
        self.identity, self.size, self.supersample = identity, size, supersample
        try:
            import moderngl
        except ModuleNotFoundError as error:
            raise EngineUnavailable(
                "moderngl is not installed.",
                fix="Run `scripts/setup system render && scripts/setup python render`.",
            ) from error
        self._context = moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]
        source = "".join((FOLDER / f"{part}.glsl").read_text() for part in ("shape", "hair", "shade"))
        self._program = self._context.program(vertex_shader=VERTEX, fragment_shader="#version 330\n" + source)
        triangle = self._context.buffer(np.array([-1, -1, 3, -1, -1, 3], "f4"))
        self._quad = self._context.vertex_array(self._program, [(triangle, "2f", "corner")])
        self._targets: dict[tuple[int, int], moderngl.Framebuffer] = {}
        self._set({"fieldOfView": field_of_view, **uniforms(identity)})

    def close(self) -> None:
        """Frees the context and all that it holds."""
        for target in self._targets.values():
            for texture in target.color_attachments:
                texture.release()
            target.release()
        self._quad.release()
        self._program.release()
        self._context.release()

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _set(self, values: dict[str, object]) -> None:
        for name, value in values.items():
            if name in self._program:  # the compiler drops what a style does not use
                self._program[name].value = value  # type: ignore[union-attr]

    def render(
        self,
        mouth: Mouth = Mouth(),  # noqa: B008 - frozen
        upper: Upper = Upper(),  # noqa: B008 - frozen
        *,
        turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
        camera: tuple[float, float] = CAMERA,
        rect: Rect | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draws an expression on top of the identity's resting face.

        Args:
            mouth: Lower face.
            upper: Eyes and brows.
            turn: Yaw, pitch, roll of the head.
            camera: Where it stands, x and y in cm.
            rect: Part of the picture to draw: left, top, width, height in pixels; None: all.

        Returns:
            sRGB float32 [height, width, 3] in 0…1, and z in cm, float32 [height, width] (background -99).
        """
        left, top, width, height = rect or (0, 0, self.size, self.size)
        ss, pixel = self.supersample, 2 / (self.size * self.supersample)
        key = (width * ss, height * ss)
        if key not in self._targets:
            texture = self._context.texture(key, 4, dtype="f4")
            self._targets[key] = self._context.framebuffer([texture])
        target = self._targets[key]
        target.use()
        mouth, upper = at_rest(self.identity, mouth, upper)
        bottom = self.size - top - height
        self._set(
            {
                **expression(mouth, upper),
                "turn": turn,
                "camera": camera,
                "window": (left * ss * pixel - 1, bottom * ss * pixel - 1, pixel, 0.0),
            }
        )
        self._quad.render()
        raw = np.frombuffer(target.read(components=4, dtype="f4"), np.float32).reshape(key[1], key[0], 4)[
            ::-1
        ]
        pooled = raw.reshape(height, ss, width, ss, 4)
        return pooled[..., :3].mean((1, 3)), pooled[..., 3].max((1, 3))
