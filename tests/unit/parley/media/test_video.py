"""Encoders, decoders and files."""

from pathlib import Path

import av
import numpy as np
import pytest

from parley.errors import BadRequest, MediaError
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from parley.media.video import CODECS, VideoDecoder, VideoEncoder, write_mp4

SIZE = 96


def frames(count):
    """A smooth picture that drifts."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    out = []
    for i in range(count):
        wave = np.sin((x + 2 * i) / 12) * np.cos(y / 17)
        out.append(
            np.stack([128 + 90 * wave, 120 + 60 * np.cos((y + i) / 20), 140 - 70 * wave], -1).astype(np.uint8)
        )
    return out


def psnr(a, b):
    return 10 * np.log10(255**2 / max(np.mean((a.astype(float) - b) ** 2), 1e-9))


def is_key(codec, data):
    if codec == "h264":
        kinds = [data[i + 3] & 31 for i in range(len(data) - 4) if data[i : i + 3] == b"\0\0\1"]
        assert (
            (7 in kinds) == (8 in kinds) == (5 in kinds)
        )  # SPS and PPS before each keyframe, and only there
        return 5 in kinds
    return data[0] & 1 == 0 if codec == "vp8" else data[:2] == b"\xff\xd8"


@pytest.mark.parametrize("codec", CODECS)
def test_every_frame_comes_back_at_once_and_looks_the_same(codec):
    decoder = VideoDecoder(codec)
    with VideoEncoder(codec, SIZE, SIZE) as encoder:
        for index, frame in enumerate(frames(30)):
            (back,) = decoder.decode(encoder.encode(frame, index * FRAME_SAMPLES))
            assert back.shape == frame.shape
            assert psnr(frame, back) > 32, index


@pytest.mark.parametrize("codec", ["h264", "vp8"])
def test_keyframes_come_first_and_on_demand_only(codec):
    with VideoEncoder(codec, SIZE, SIZE) as encoder:
        keys = [
            is_key(codec, encoder.encode(f, i * FRAME_SAMPLES, keyframe=i == 6))
            for i, f in enumerate(frames(10))
        ]
    assert keys == [i in (0, 6) for i in range(10)]


@pytest.mark.parametrize("codec", CODECS)
def test_a_viewer_can_join_at_a_keyframe_and_frames_may_be_left_out(codec):
    shown = [f for i, f in enumerate(frames(12)) if i not in (3, 4, 8)]
    with VideoEncoder(codec, SIZE, SIZE) as encoder:
        sent = [encoder.encode(f, i * 2 * FRAME_SAMPLES, keyframe=i == 5) for i, f in enumerate(shown)]
    late = VideoDecoder(codec)
    assert psnr([late.decode(d) for d in sent[5:]][-1][0], shown[-1]) > 30


def test_h264_is_baseline_for_browsers():
    with VideoEncoder("h264", SIZE, SIZE) as encoder:
        data = encoder.encode(frames(1)[0], 0)
    at = data.index(b"\0\0\1\x67") + 4
    assert data[at] == 0x42 and data[at + 1] & 0xC0 == 0xC0 and data[at + 2] == 0x1E


def test_wrong_input_is_named():
    with pytest.raises(BadRequest, match="h264, vp8, jpeg"):
        VideoEncoder("av1", SIZE, SIZE)
    with pytest.raises(BadRequest, match="97x96"):
        VideoEncoder("h264", 97, 96)
    with VideoEncoder("jpeg", SIZE, SIZE) as encoder, pytest.raises(BadRequest, match="shape"):
        encoder.encode(np.zeros((10, 10, 3), np.uint8), 0)
    with pytest.raises(BadRequest):
        VideoDecoder("av1")
    with pytest.raises(MediaError):
        VideoDecoder("jpeg").decode(b"not a picture at all")


def test_a_file_plays_with_sound_and_uneven_frames(tmp_path: Path):
    path = tmp_path / "answer.mp4"
    pictures = [(i * FRAME_SAMPLES, f) for i, f in enumerate(frames(50)) if i % 7]
    tone = (8000 * np.sin(np.arange(2 * SAMPLE_RATE_HZ) / 20)).astype("<i2")
    write_mp4(path, pictures, tone.tobytes())
    with av.open(str(path)) as file:
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
        assert (video.width, video.height) == (SIZE, SIZE)
        times = [float(f.pts * f.time_base) for f in file.decode(video)]
    assert np.allclose(times, [pts / SAMPLE_RATE_HZ for pts, _ in pictures], atol=0.001)
    with av.open(str(path)) as file:
        heard = np.concatenate([f.to_ndarray()[0] for f in file.decode(audio=0)])
    assert abs(len(heard) - len(tone)) < 3000
    assert np.abs(heard[2000:-4000]).max() == pytest.approx(8000 / 32768, rel=0.1)


def test_a_file_without_frames_is_refused(tmp_path: Path):
    with pytest.raises(MediaError, match="at least one frame"):
        write_mp4(tmp_path / "empty.mp4", [], b"")
