"""What the shipped face looks like: sheets and clips of the default avatars and of a stranger.

    python -m training.sda.show docs/images/face --clips artifacts

The stranger is a held-out identity, enrolled from one picture as a photo would be. All say held-out sentences
in a voice that was never trained on, then a person's recording (LibriVox, public domain). It writes:

- `phones.jpg`: one frame for each kind of sound, a row for each face
- `human.jpg`: mouths in succession while a person's recording speaks
- `talking.webp`: the default avatars, moving
- `{name}.mp4` in the folder of clips: the whole performance, with sound
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from PIL import Image

from parley.bench.questions import HUMAN_RECORDINGS
from parley.engines import Audio, FaceInput, Picture, TimedPhone, pictures
from parley.media.audio import float_to_pcm16
from parley.media.clock import FPS, FRAME_SAMPLES
from parley.media.video import write_mp4
from services.sda.config import SdaSettings
from services.sda.engines.gan import GanEngine
from services.sda.flite import speak
from services.sda.sheet import recorded, sheet
from training.data.synthetic_faces.bank import to_bytes
from training.data.synthetic_faces.identities import named
from training.data.synthetic_faces.plan import held_out
from training.sda import still

VOICE = "awb"  # of the held-out ones, that which gives its phones
SENTENCES = (0, 1, 2, 5, 4, 13, 3)  # of the held-out ones
KINDS = {
    "p b m": ("p", "b", "m"), "f v": ("f", "v"), "th": ("th", "dh"), "l": ("l",), "s z": ("s", "z"),
    "ee": ("iy",), "eh a": ("eh", "ae"), "ah": ("aa", "ah", "ay"), "oh": ("ow", "ao"), "oo w": ("uw", "w"),
}  # fmt: skip
RECORDING = HUMAN_RECORDINGS / "sense_and_sensibility_01_austen_64kb-0880.wav"
MOVING_S = 5
HUMAN_FROM, HUMAN_TILES, HUMAN_EVERY = 12, 32, 2


def utterance() -> tuple[Audio, list[TimedPhone]]:
    """All sentences one after the other, with their phones."""
    texts = [held_out().sentences[i] for i in SENTENCES]
    return speak(" ".join(texts), voice=VOICE)


def photographed(identity: str, size: int = 512) -> Picture:
    """A picture of somebody who was never trained on, as a camera would take it."""
    from training.data.synthetic_faces.renderer import Renderer

    with Renderer(named(identity), size=size, supersample=2, field_of_view=0.23) as renderer:
        return to_bytes(renderer.render()[0])


def strangers(avatars: Path, folder: Path) -> list[str]:
    """Fills `folder` with the default avatars and a stranger; returns their names."""
    names = ["mira", "theo", "stranger"]
    for name in names[:2]:
        shutil.copytree(avatars / name, folder / name)
    path = folder / names[2]
    path.mkdir()
    shutil.copy(avatars / "mira" / "avatar.yaml", path)
    photo = folder / "photo.png"
    picture = photographed(f"seed-{held_out().identities.first}")
    cv2.imwrite(str(photo), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    still.main(names[2], photo, folder)
    return names


def by_kind(frames: list[Picture], phones: list[TimedPhone]) -> Iterator[Picture]:
    """The frame in the middle of a phone of each kind, the one of median length."""
    starts = [0, *(phone.end for phone in phones)]
    for symbols in KINDS.values():
        found = [
            (p.end - s, (p.end + s) // 2) for s, p in zip(starts, phones, strict=False) if p.symbol in symbols
        ]
        yield frames[sorted(found)[len(found) // 2][1] // FRAME_SAMPLES]


def main(
    out: Annotated[Path, typer.Argument(help="Folder of the pictures.")],
    clips: Annotated[Path, typer.Option(help="Folder of the clips.")] = Path("artifacts"),
) -> None:
    """Draw sheets and clips of the shipped face, to look at."""
    out.mkdir(parents=True, exist_ok=True)
    clips.mkdir(parents=True, exist_ok=True)
    said, phones = utterance()
    human = recorded(RECORDING)
    kinds, mouths, moving = list[Picture](), list[Picture](), list[list[Picture]]()
    with tempfile.TemporaryDirectory() as folder:
        names = strangers(SdaSettings().avatars_dir, Path(folder))
        engine = GanEngine(Path(folder))
        for name in names:
            frames = pictures(engine.open(name, seed=1), FaceInput(said, last=True))
            heard = pictures(engine.open(name, seed=2), FaceInput(human, last=True))
            kinds += [engine.idle(name)[0], *by_kind(frames, phones)]
            mouths += heard[HUMAN_FROM::HUMAN_EVERY][:HUMAN_TILES]
            moving.append(frames[: MOVING_S * FPS : 2])
            sound = float_to_pcm16(np.concatenate([said, human]))
            shown = ((i * FRAME_SAMPLES, frame) for i, frame in enumerate([*frames, *heard]))
            write_mp4(clips / f"{name}.mp4", shown, sound)
            print(f"{name}: {(len(said) + len(human)) / FRAME_SAMPLES / FPS:.1f} s")
    columns = 1 + len(KINDS)
    labels = ["rest", *KINDS] * len(names)
    _write(out / "phones.jpg", sheet(kinds, labels, columns=columns, scale=0.62, crop=1.0))
    times = [f"{(HUMAN_FROM + i * HUMAN_EVERY) / FPS:.2f} s" for i in range(HUMAN_TILES)] * len(names)
    together = [Image.fromarray(np.hstack(each)) for each in zip(*moving[:2], strict=True)]
    step_ms = 2 * 1000 // FPS
    together[0].save(
        out / "talking.webp", save_all=True, append_images=together[1:], duration=step_ms, loop=0, quality=55
    )
    _write(out / "human.jpg", sheet(mouths, times, columns=HUMAN_TILES // 2, scale=0.85, crop=0.42))


def _write(path: Path, picture: Picture) -> None:
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    typer.run(main)
