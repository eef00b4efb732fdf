"""Reading any audio file, or the audio of any video file; writing wav."""

import wave
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from parley.errors import MediaError
from parley.media.audio import float_to_pcm16
from parley.media.clock import SAMPLE_RATE_HZ


def read_audio(path: Path, rate_hz: int) -> NDArray[np.float32]:
    """Decodes the first audio track to mono float32 [n] at `rate_hz`.

    Raises:
        MediaError: The file is missing, has no audio track, or cannot be decoded; the message names it.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise MediaError(f"{path} has no audio track.")
            resampler = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
            frames = [f for packet in container.decode(audio=0) for f in resampler.resample(packet)]
            frames += resampler.resample(None)
    except FileNotFoundError as error:
        raise MediaError(f"There is no file {path}.") from error
    except (OSError, av.FFmpegError) as error:
        raise MediaError(
            f"{path} cannot be read as audio: {error.strerror}.", fix="Give wav, mp3, ogg, webm or flac."
        ) from error
    if not frames:
        raise MediaError(f"{path} has no audio in it.")
    return np.concatenate([f.to_ndarray()[0] for f in frames]).astype(np.float32)


def write_wav(path: Path, audio: NDArray[np.float32], rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Writes float32 [n] as a mono 16 bit wav file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(float_to_pcm16(audio))
