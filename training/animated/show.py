# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""What a run looks like: sheets and clips of drawn characters.

    python -m training.animated.show training/configs/animated.yaml docs/images/animated --clips artifacts

- `held_out.jpg`: held-out characters who say held-out sentences in held-out voices, true and made
- `phones.jpg`: the default avatar by the engine, a frame for each kind of sound
- `sliders.jpg`: smile, brow and eyes from -1 to 1, in both styles
- `one_latent.jpg`: realistic heads; their styles real, with layers swapped, and drawn
- `selves.jpg`: strangers' photos, what the generator paints of their styles, and their drawn selves, speaking
- `sampled.jpg`: characters from noise
- `juno.mp4`, `held_out.mp4`, `selves.mp4` in the folder of clips, with sound
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import torch
import typer

from parley.engines import Audio, FaceInput, Picture
from parley.engines import pictures as drawn_by
from parley.intake.decode import decode_picture
from parley.media.audio import float_to_pcm16
from parley.media.clock import FPS, FRAME_SAMPLES
from parley.media.video import write_mp4
from parley.settings import REPOSITORY
from services.sda.config import SdaSettings
from services.sda.engines.animated import AnimatedEngine
from services.sda.face.styles import WEIGHTS
from training.animated import material
from training.animated.board import listed, sampled, sheet
from training.animated.config import Config, load
from training.animated.evaluate import Take, speak, strangers, takes
from training.animated.export import animator_of, photos_encoder_of
from training.animated.model import SLIDERS, Animator, pasted
from training.animated.photo import nearer, restored
from training.data.cartoon import characters, drawing
from training.sda.show import by_kind, utterance
from training.sda.still import framed
from training.sda.train import pictures

COLUMNS, SHRINK = 10, 0.5
SWAPPED = 3  # sizes, from the coarsest on, that are the base's
CLIP_S = 20
SELVES = 4  # held-out people in the sheet, beside the realistic avatars
PORTRAITS = ("mira", "theo")  # whose photos are framed as anybody's: the encoder never saw them
DEVICE = torch.device("cpu")


def held_out_rows(net: Animator, gauge_takes: list[Take]) -> list[list[Picture]]:
    """Held-out characters who speak: as they should look, and below as they were made."""
    rows = []
    for take in gauge_takes:
        at = np.linspace(6, len(take.real) - 6, COLUMNS).astype(int)
        still = take.still.expand(len(take.real), -1, -1, -1)
        for video in (take.real, speak(net, take)):
            rows.append(listed(pasted(still[at], video[at])))
    return rows


@torch.no_grad()
def slid(net: Animator, who: characters.Character) -> list[list[Picture]]:
    """A row for each slider, from -1 to 1, the mouth at rest and speaking."""
    still = pictures(drawing.draw(who, drawing.Face(), net.model.size)[None], DEVICE)
    content, rows = net.encoder(still), []
    for slider in range(len(SLIDERS)):
        row: list[Picture] = []
        for opened in (0.0, 0.6):
            mouth = torch.tensor([[opened, 0.0, 0.6 * (opened > 0), 0.0, 0.0, 0.0]])
            for value in (-1.0, 0.0, 1.0):
                told = torch.zeros(1, len(SLIDERS))
                told[0, slider] = value
                made = net.draw(content, net.posed(mouth, torch.zeros(1, 4), told), still)
                row += listed(pasted(still, made.shown))
        rows.append(row)
    return rows


@torch.no_grad()
def one_latent(run: Config) -> list[list[Picture]]:
    """Realistic heads; the same styles real, half real and half drawn (layers swapped), and drawn."""
    net, photo = animator_of(run.out / "drawn.pt"), photos_encoder_of(run.out / "drawn.pt")
    base = animator_of(run.out / "base.pt")
    photos = torch.cat([stranger.photo for stranger in strangers(run.heads, run.model.size)[:COLUMNS]])
    content = photo(photos)
    swapped = animator_of(run.out / "drawn.pt")
    for level in range(SWAPPED):
        swapped.synthesis.blocks[level].load_state_dict(base.synthesis.blocks[level].state_dict())
    swapped.synthesis.constant.data.copy_(base.synthesis.constant)
    return [listed(row) for row in (photos, *(each.portray(content) for each in (base, swapped, net)))]


def photos(run: Config) -> list[Picture]:
    """Strangers to the encoder: the realistic avatars' photos, and held-out heads."""
    out = []
    for name in PORTRAITS:
        file = REPOSITORY / "avatars" / name / "face" / "portrait.png"
        out.append(nearer(framed(decode_picture(file.read_bytes()))))
    others = strangers(run.heads, run.model.size)[len(PORTRAITS) :: 48 // SELVES][:SELVES]
    return out + [listed(stranger.photo)[0] for stranger in others]


def selves(net: Animator, run: Config, path: Path) -> list[list[Picture]]:
    """Photos, their styles painted, and drawn in both styles, who say a sentence each; a clip, too."""
    hand, rows, shown, sound = restored(WEIGHTS), [], list[Picture](), list[Audio]()
    said = [spoken for _, spoken in material.held_out(run.speech, len(PORTRAITS) + SELVES)]
    for index, (photo, spoken) in enumerate(zip(photos(run), said, strict=True)):
        drawn = [hand.draw(photo, style) for style in characters.STYLES]
        still = pictures(drawn[index % len(drawn)][None], DEVICE)
        take = Take(hand.character(photo), spoken, still, torch.zeros(len(spoken), 3, 1, 1))
        made = speak(net, take)
        frames = listed(pasted(still.expand(len(made), -1, -1, -1), made))
        at = np.linspace(6, len(frames) - 6, COLUMNS - 4).astype(int)
        square = cv2.resize(np.asarray(photo), (run.model.size,) * 2, interpolation=cv2.INTER_AREA)
        rows.append([square.astype(np.uint8), hand.paint(photo), *drawn, *(frames[i] for i in at)])
        shown += [np.hstack([square.astype(np.uint8), frame]) for frame in frames]
        sound.append(spoken.audio()[: len(made) * FRAME_SAMPLES])
    timed = ((i * FRAME_SAMPLES, frame) for i, frame in enumerate(shown))
    write_mp4(path, timed, float_to_pcm16(np.concatenate(sound)))
    return rows


def main(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")],
    out: Annotated[Path, typer.Argument(help="Folder of the pictures.")],
    clips: Annotated[Path, typer.Option(help="Folder of the clips.")] = Path("artifacts"),
) -> None:
    """Draw sheets and clips of a run, to look at."""
    run = load(config)
    net = animator_of(run.out / "state.pt")
    out.mkdir(parents=True, exist_ok=True)
    clips.mkdir(parents=True, exist_ok=True)
    who = [characters.JUNO, replace(characters.JUNO, style="ink")]
    _write(out / "held_out.jpg", held_out_rows(net, takes(run.speech, run.model.size, 4)))
    _write(out / "sliders.jpg", [row for each in who for row in slid(net, each)])
    _write(out / "one_latent.jpg", one_latent(run))
    _write(out / "sampled.jpg", [listed(sampled(animator_of(run.out / "drawn.pt"), COLUMNS))])
    _write(out / "selves.jpg", selves(net, run, clips / "selves.mp4"))
    engine = AnimatedEngine(SdaSettings().avatars_dir)
    said, phones = utterance()
    frames = drawn_by(engine.open("juno", seed=1), FaceInput(said, last=True))
    _write(out / "phones.jpg", [[engine.idle("juno")[0], *by_kind(frames, phones)]])
    shown = ((i * FRAME_SAMPLES, frame) for i, frame in enumerate(frames))
    write_mp4(clips / "juno.mp4", shown, float_to_pcm16(said))
    clip(net, run, clips / "held_out.mp4")


def clip(net: Animator, run: Config, path: Path) -> None:
    """A held-out character says held-out sentences in held-out voices for CLIP_S seconds."""
    who, frames, sound = characters.held_out(0), list[Picture](), list[Audio]()
    for _, spoken in material.held_out(run.speech, 12):
        still = pictures(drawing.draw(who, drawing.Face(), net.model.size)[None], DEVICE)
        take = Take(who, spoken, still, torch.zeros(len(spoken), 3, 1, 1))
        made = speak(net, take)
        frames += listed(pasted(still.expand(len(made), -1, -1, -1), made))
        sound.append(spoken.audio()[: len(made) * FRAME_SAMPLES])
        if len(frames) >= CLIP_S * FPS:
            break
    shown = ((i * FRAME_SAMPLES, frame) for i, frame in enumerate(frames))
    write_mp4(path, shown, float_to_pcm16(np.concatenate(sound)))


def _write(path: Path, rows: list[list[Picture]]) -> None:
    whole = cv2.resize(sheet(rows), None, fx=SHRINK, fy=SHRINK, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), cv2.cvtColor(whole, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    typer.run(main)
