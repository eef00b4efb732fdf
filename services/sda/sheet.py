"""A contact sheet of a talking avatar, to look at: every frame with the phone that sounds.

python -m services.sda.sheet --avatar mira --text "Hello there." --out sheet.png
python -m services.sda.sheet --avatar mira --text "Hello there." --out talk.mp4 [--by-ear]
python -m services.sda.sheet --avatar mira --idle --out idle.png
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from parley.engines import Audio, FaceInput, Picture, TimedPhone, pictures
from parley.media.audio import float_to_pcm16
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.files import read_audio
from parley.media.video import write_mp4
from services.sda.config import SdaSettings
from services.sda.engines import Faces
from services.sda.flite import speak


def recorded(path: Path) -> Audio:
    """A recording, padded to whole video frames."""
    audio = read_audio(path, SAMPLE_RATE_HZ)
    return np.pad(audio, (0, -len(audio) % FRAME_SAMPLES))


def labels(phones: list[TimedPhone], count: int) -> list[str]:
    """Each frame's number, and the phone that sounds in its middle."""
    ends = [p.end for p in phones]
    at = np.searchsorted(ends, (np.arange(count) + 0.5) * FRAME_SAMPLES, "right")
    return [f"{n} {phones[i].symbol if i < len(phones) else ''}" for n, i in enumerate(at)]


def sheet(frames: list[Picture], names: list[str], *, columns: int, scale: float, crop: float) -> Picture:
    """Tiles frames; `crop` 1 shows all, less shows the middle of the lower face larger."""
    tiles = []
    for frame, name in zip(frames, names, strict=True):
        side = int(frame.shape[0] * crop)
        top, left = int((frame.shape[0] - side) * 0.78), (frame.shape[1] - side) // 2
        size = (int(side * scale), int(side * scale))
        tile = cv2.resize(frame[top : top + side, left : left + side], size, interpolation=cv2.INTER_AREA)
        cv2.putText(tile, name, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1, cv2.LINE_AA)
        tiles.append(tile)
    while len(tiles) % columns:
        tiles.append(np.zeros_like(tiles[0]))
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--avatar", required=True)
    parser.add_argument("--text", default="Hello there, I am your new companion. How are you?")
    parser.add_argument("--voice", default="slt", help="flite's: slt, rms or awb")
    parser.add_argument("--engine", default="auto", help="auto, gan or visemes")
    parser.add_argument("--wav", type=Path, help="say this recording (by ear) instead of a text")
    parser.add_argument("--by-ear", action="store_true", help="do not tell the engine the phones")
    parser.add_argument("--idle", action="store_true", help="the idle loop instead of speech")
    parser.add_argument("--every", type=int, default=1, help="show each n-th frame")
    parser.add_argument("--crop", type=float, default=1.0, help="part of the picture shown, about the mouth")
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--tile", type=int, default=120, help="pixels of a tile")
    parser.add_argument("--out", type=Path, required=True, help=".png, .jpg or .mp4")
    args = parser.parse_args()
    engine = Faces(SdaSettings(engine=args.engine)).engine(args.avatar)
    if args.idle:
        frames, audio = engine.idle(args.avatar), np.zeros(0, np.float32)
        phones: list[TimedPhone] = []
    else:
        audio, phones = (recorded(args.wav), []) if args.wav else speak(args.text, voice=args.voice)
        step = FaceInput(audio, () if args.by_ear else phones, not (args.by_ear or args.wav), last=True)
        frames = pictures(engine.open(args.avatar, seed=1), step)
    if args.out.suffix == ".mp4":
        write_mp4(args.out, [(i * FRAME_SAMPLES, f) for i, f in enumerate(frames)], float_to_pcm16(audio))
        return
    names = labels(phones, len(frames))
    scale = args.tile / (frames[0].shape[0] * args.crop)
    picture = sheet(
        frames[:: args.every], names[:: args.every], columns=args.columns, scale=scale, crop=args.crop
    )
    cv2.imwrite(str(args.out), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
