"""The process that decodes: a file comes in as standard input, samples or pixels go out.

    python -m parley.intake audio SECONDS
    python -m parley.intake picture PIXELS

An error goes to standard error as JSON, with exit status 3. `parley.intake.decode` starts it.
"""

import io
import json
import os
import sys
import wave
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from typing import BinaryIO

from parley.errors import MediaError
from parley.intake import sandbox
from parley.intake.limits import FORMATS, MOST_CHANNELS, RATES_HZ, REFUSED
from parley.media.clock import SAMPLE_RATE_HZ

Decode = Callable[[BinaryIO, BinaryIO], None]


def audio(most_s: float) -> Decode:
    """Imports what decodes audio; what is returned does it: s16le mono 24 kHz, as it comes."""
    import av

    def decode(source: BinaryIO, sink: BinaryIO) -> None:
        options = {"format_whitelist": FORMATS, "protocol_whitelist": ""}
        samples = 0
        try:
            with av.open(source, "r", metadata_errors="ignore", container_options=options) as container:
                if not container.streams.audio:
                    raise MediaError("The file has no audio track.")
                stream = container.streams.audio[0]
                stream.codec_context.thread_count = 1
                _check(stream.channels, stream.rate)
                resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
                for frame in chain(container.decode(stream), (None,)):
                    for out in resampler.resample(frame):
                        sink.write(out.to_ndarray().tobytes())
                        samples += out.samples
                    if samples > most_s * SAMPLE_RATE_HZ:
                        raise MediaError(
                            f"The recording is longer than {most_s:g} s.",
                            fix="Send it in parts.",
                            code="media_too_long",
                        )
        except (av.FFmpegError, OSError, EOFError, ValueError) as error:
            raise MediaError(
                f"The file cannot be read as audio: {error}", fix="Send wav, mp3, ogg, webm or flac."
            ) from error
        if not samples:
            raise MediaError("There is no audio in the file.")

    return decode


def _check(channels: int, rate_hz: int) -> None:
    """Refuses sound whose conversion alone would be an attack."""
    if channels > MOST_CHANNELS or rate_hz not in range(*RATES_HZ):
        raise MediaError(
            f"Sound with {channels} channels at {rate_hz} Hz is not taken.",
            fix=f"Send up to {MOST_CHANNELS} channels at 4 to 384 kHz.",
        )


def picture(most_pixels: float) -> Decode:
    """Imports what decodes pictures; what is returned does it: height and width as u32, then RGB."""
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(int(most_pixels))
    import cv2
    import numpy as np

    cv2.setNumThreads(0)

    def decode(source: BinaryIO, sink: BinaryIO) -> None:
        data = np.frombuffer(source.read(), np.uint8)
        try:
            found = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        except cv2.error as error:
            if "IO_MAX_IMAGE" in str(error):
                raise MediaError(
                    f"The picture has more than {most_pixels / 1e6:g} million pixels.",
                    fix="Make it smaller.",
                    code="media_too_large",
                ) from error
            found = None
        if found is None:
            raise MediaError("The picture is broken.", fix="Open and save it again, as PNG or JPEG.")
        rgb = cv2.cvtColor(found, cv2.COLOR_BGR2RGB)
        sink.write(np.array(rgb.shape[:2], "<u4").tobytes() + rgb.tobytes())

    return decode


def _warm_up(decode: Decode) -> None:
    """Lets the libraries open the files that they open at their first use: a good file, and a bad one."""
    good = io.BytesIO()
    with wave.open(good, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(3200))
    for data in (good.getvalue(), b"no file of any kind", b""):
        with suppress(MediaError):
            decode(io.BytesIO(data), io.BytesIO())


def main() -> int:
    """Decodes one file in the sandbox."""
    decode = {"audio": audio, "picture": picture}[sys.argv[1]](float(sys.argv[2]))
    _warm_up(decode)
    sandbox.enter()
    try:
        decode(sys.stdin.buffer, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    except MediaError as error:
        return _refuse(error)
    except MemoryError:
        return _refuse(
            MediaError(
                "Decoding the file takes too much memory.", fix="Send a smaller one.", code="media_too_large"
            )
        )
    return 0


def _refuse(error: MediaError) -> int:
    sys.stderr.write(json.dumps({"message": error.message, "fix": error.fix, "code": error.code}))
    sys.stderr.flush()
    return REFUSED


if __name__ == "__main__":
    os._exit(main())  # at once: an interpreter that ends in the usual way opens files
