"""Video frames to bytes and back, by PyAV: H.264, VP8 and JPEG, one frame in, one frame out, no delay."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, cast

import av
import numpy as np
from av.video.frame import PictureType

from parley.engines import Picture
from parley.errors import BadRequest, MediaError
from parley.media.clock import FPS, SAMPLE_RATE_HZ

CODECS: Final = ("h264", "vp8", "jpeg")
# What WebCodecs calls them: H.264 constrained baseline, level 3.0, Annex B.
WEB_CODECS: Final = {"h264": "avc1.42E01E", "vp8": "vp8", "jpeg": "jpeg"}
KEYFRAME_EVERY: Final = 25  # who loses a frame on the way is without a picture for a second at most

_H264 = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "profile": "baseline",
    "level": "3.0",
    "crf": "21",
    "g": str(KEYFRAME_EVERY),
    "bf": "0",
    "x264-params": "annexb=1:repeat-headers=1:scenecut=0:aq-mode=1",
}
_VP8 = {
    "deadline": "realtime",
    "cpu-used": "8",
    "lag-in-frames": "0",
    "error-resilient": "1",
    "crf": "12",
    "b": "900k",
    "g": str(KEYFRAME_EVERY),
}
_JPEG = {"qmin": "3", "qmax": "3"}
_BY_NAME = {
    "h264": ("libx264", "yuv420p", _H264),
    "vp8": ("libvpx", "yuv420p", _VP8),
    "jpeg": ("mjpeg", "yuvj420p", _JPEG),
}
_DECODERS = {"h264": "h264", "vp8": "vp8", "jpeg": "mjpeg"}


class VideoEncoder:
    """One stream of frames; not for two threads at once.

    Frames may be left out: `pts_samples` only has to grow. The first frame is a keyframe, and one in
    `KEYFRAME_EVERY`.

    Attributes:
        gave_keyframe: Whether the last frame that was encoded can be decoded without those before it.

    Args:
        codec: One of `CODECS`.
        width: Pixels, even.
        height: Pixels, even.
        fps: Nominal rate, for the encoder's rate control.

    Raises:
        BadRequest: Unknown codec or odd size.
    """

    def __init__(self, codec: str, width: int, height: int, fps: int = FPS) -> None:
        if codec not in _BY_NAME:
            raise BadRequest(
                f"Video codec {codec!r} is not known.", fix=f"Choose one of: {', '.join(CODECS)}."
            )
        if width % 2 or height % 2 or not (16 <= width <= 4096 and 16 <= height <= 4096):
            raise BadRequest(
                f"Video of {width}x{height} cannot be encoded.", fix="Use even sizes from 16 to 4096."
            )
        name, self._format, options = _BY_NAME[codec]
        self._shape, self._first, self._always = (height, width, 3), True, codec == "jpeg"
        self.gave_keyframe = False
        self._context = cast(av.VideoCodecContext, av.CodecContext.create(name, "w"))
        self._context.width, self._context.height = width, height
        self._context.pix_fmt = self._format
        self._context.time_base = Fraction(1, SAMPLE_RATE_HZ)
        self._context.framerate = Fraction(fps)
        self._context.thread_count = 1
        self._context.options = options
        if codec == "jpeg":
            self._context.color_range = 2

    def encode(self, frame: Picture, pts_samples: int, *, keyframe: bool = False) -> bytes:
        """One frame.

        Args:
            frame: RGB uint8 [height, width, 3].
            pts_samples: Media clock; greater than the last one's.
            keyframe: Make it decodable without what came before.

        Returns:
            H.264: an access unit in Annex B (with SPS and PPS if a keyframe); VP8: a frame; JPEG: a file.

        Raises:
            BadRequest: The picture has another size.
            MediaError: The encoder fails.
        """
        if frame.shape != self._shape:
            raise BadRequest(f"A picture of shape {frame.shape} was given to an encoder of {self._shape}.")
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
        if self._format != "rgb24":
            picture = picture.reformat(format=self._format)
        picture.pts, picture.time_base = pts_samples, Fraction(1, SAMPLE_RATE_HZ)
        picture.pict_type = PictureType.I if keyframe or self._first or self._always else PictureType.NONE
        self._first = False
        try:
            packets = self._context.encode(picture)
        except av.error.FFmpegError as error:
            raise MediaError(f"The video encoder failed: {error}") from error
        if not packets:
            raise MediaError("The video encoder held a frame back.")
        self.gave_keyframe = packets[0].is_keyframe
        return b"".join(bytes(packet) for packet in packets)

    def close(self) -> None:
        """Frees the encoder."""
        if self._context.is_open and not self._first:
            self._context.encode(None)
        del self._context

    def __enter__(self) -> "VideoEncoder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class VideoDecoder:
    """The other way round, for tests and for programs that want pictures.

    Args:
        codec: One of `CODECS`.

    Raises:
        BadRequest: Unknown codec.
    """

    def __init__(self, codec: str) -> None:
        if codec not in _DECODERS:
            raise BadRequest(
                f"Video codec {codec!r} is not known.", fix=f"Choose one of: {', '.join(CODECS)}."
            )
        self._context = cast(av.VideoCodecContext, av.CodecContext.create(_DECODERS[codec], "r"))
        self._context.thread_count = 1
        self._context.flags |= 0x80000  # AV_CODEC_FLAG_LOW_DELAY: each frame comes out at once

    def decode(self, data: bytes) -> list[Picture]:
        """Pictures that `data` (one encoded frame) yields: RGB uint8 [height, width, 3].

        Raises:
            MediaError: It is not video of this codec.
        """
        try:
            frames = self._context.decode(av.Packet(data))
            return [cast(Picture, frame.to_ndarray(format="rgb24")) for frame in frames]
        except av.error.FFmpegError as error:
            raise MediaError(f"This is not a video frame of the codec asked for: {error}") from error


def write_mp4(path: Path, frames: Iterable[tuple[int, Picture]], pcm: bytes, *, fps: int = FPS) -> None:
    """Writes a playable file: H.264 and AAC.

    Args:
        path: Where to.
        frames: (pts_samples, RGB uint8 [height, width, 3]) in order, at any spacing; at least one.
        pcm: s16le mono 24 kHz, starting at pts 0.
        fps: Nominal rate.

    Raises:
        MediaError: No frames, or the file cannot be written.
    """
    clock = Fraction(1, SAMPLE_RATE_HZ)
    video = None
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as file:
            for pts, picture in frames:
                if video is None:
                    video = file.add_stream("libx264", rate=fps, options={"crf": "18", "preset": "veryfast"})
                    video.height, video.width = picture.shape[:2]
                    video.pix_fmt, video.time_base = "yuv420p", clock
                    video.codec_context.time_base, video.codec_context.thread_count = clock, 1
                    audio = file.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono")
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                frame.pts, frame.time_base = pts, clock
                file.mux(video.encode(frame))
            if video is None:
                raise MediaError("A video needs at least one frame.")
            file.mux(video.encode(None))
            if pcm:
                sound = av.AudioFrame.from_ndarray(
                    np.frombuffer(pcm, "<i2")[None], format="s16", layout="mono"
                )
                sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE_HZ, 0, clock
                resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE_HZ, frame_size=1024)
                for part in (*resampler.resample(sound), *resampler.resample(None)):
                    file.mux(audio.encode(part))
            file.mux(audio.encode(None))
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"{path} cannot be written: {error}") from error
