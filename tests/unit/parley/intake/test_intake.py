"""Hostile files are refused by name, and the process that looks at them can do nothing else."""

import io
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from parley.errors import MediaError
from parley.intake import decode
from parley.intake.decode import decode_audio, decode_picture

SECOND = (8000 * np.sin(np.arange(24_000) / 20)).astype("<i2")


def recording(codec: str, container: str, seconds: int = 1, *, rate: int = 24_000) -> bytes:
    sink = io.BytesIO()
    with av.open(sink, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        resampler = av.AudioResampler(stream.format.name, "mono", rate)
        for second in range(seconds):
            frame = av.AudioFrame.from_ndarray(SECOND[None] * (seconds == 1), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 24_000, second * 24_000
            for part in resampler.resample(frame):
                file.mux(stream.encode(part))
        for part in resampler.resample(None):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return sink.getvalue()


def png(width: int, height: int) -> bytes:
    """A black picture whose pixels compress to nothing."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()

    def chunk(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return len(data).to_bytes(4, "big") + whole + zlib.crc32(whole).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([1, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def refused(call: object, *args: object, **options: object) -> str:
    with pytest.raises(MediaError) as caught:
        call(*args, **options)  # type: ignore[operator]
    return caught.value.code


@pytest.mark.parametrize(
    ("codec", "container"),
    [("pcm_s16le", "wav"), ("libmp3lame", "mp3"), ("flac", "flac"), ("libopus", "webm"), ("aac", "mp4")],
)
def test_recordings_are_decoded(codec: str, container: str) -> None:
    rate = 48_000 if codec == "libopus" else 24_000
    pcm = np.frombuffer(decode_audio(io.BytesIO(recording(codec, container, rate=rate)), max_s=5), "<i2")
    assert abs(len(pcm) - len(SECOND)) < 4000
    assert np.abs(pcm[6000:18_000]).max() == pytest.approx(8000, rel=0.2)


def test_an_hour_of_silence_in_a_small_file_is_refused_at_its_limit() -> None:
    bomb = recording("flac", "flac", 900)
    assert len(bomb) < 1_000_000
    assert refused(decode_audio, io.BytesIO(bomb), max_s=60) == "media_too_long"


def test_what_is_no_recording_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("speech.wav", bytes(50_000_000))
    for data in (b"", b"no audio", packed.getvalue(), png(8, 8), recording("flac", "flac")[:60]):
        assert refused(decode_audio, io.BytesIO(data), max_s=60) == "media_error"


def test_a_truncated_recording_yields_what_is_there_or_an_error() -> None:
    whole = recording("pcm_s16le", "wav")
    assert 0 < len(decode_audio(io.BytesIO(whole[: len(whole) // 2]), max_s=5)) <= len(whole) // 2
    assert refused(decode_audio, io.BytesIO(recording("aac", "mp4")[:300]), max_s=5) == "media_error"


def test_a_playlist_opens_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(recording("pcm_s16le", "wav"))
    lists = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile '{secret}'\n",
    )
    for text in lists:
        assert refused(decode_audio, io.BytesIO(text.encode()), max_s=60) == "media_error"


def test_absurd_sound_is_refused() -> None:
    wav = bytearray(recording("pcm_s16le", "wav"))
    wav[24:28] = (4_000_000).to_bytes(4, "little")
    assert refused(decode_audio, io.BytesIO(bytes(wav)), max_s=5) == "media_error"


def test_pictures_are_decoded() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, :30] = (255, 0, 0)
    for kind in (".png", ".jpg", ".webp"):
        data = cv2.imencode(kind, picture[..., ::-1])[1].tobytes()
        out = decode_picture(data)
        assert out.shape == (40, 60, 3)
        assert out[5, 5, 0] > 240 and out[5, 5, 2] < 20 and out[5, 55, 0] < 20


def test_hostile_pictures_are_refused() -> None:
    bomb = png(20_000, 20_000)
    assert len(bomb) < 100_000
    assert refused(decode_picture, bomb) == "media_too_large"
    assert refused(decode_picture, bytes(21 << 20)) == "media_too_large"
    for data in (b"", b"GIF89a", b"<svg/>", recording("pcm_s16le", "wav")):
        assert refused(decode_picture, data) == "media_wrong_type"
    broken = cv2.imencode(".png", np.zeros((40, 60, 3), np.uint8))[1].tobytes()[:30]
    assert refused(decode_picture, broken) == "media_error"


def test_a_decoder_that_hangs_or_dies_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stand_in(source: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{source}\n")
        path.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(path))

    stand_in("exec sleep 60")
    monkeypatch.setattr(decode, "TIMEOUT_S", 0.3)
    assert refused(decode_audio, io.BytesIO(b"x"), max_s=5) == "media_too_costly"
    monkeypatch.setattr(decode, "TIMEOUT_S", 60.0)
    stand_in("kill -SEGV $$")
    assert refused(decode_audio, io.BytesIO(b"x"), max_s=5) == "media_error"
    stand_in("echo nonsense >&2; exit 3")
    assert refused(decode_audio, io.BytesIO(b"x"), max_s=5) == "media_error"
    stand_in("exec cat /dev/zero")  # says more than it may
    assert refused(decode_audio, io.BytesIO(b"x"), max_s=5) == "media_too_costly"


TRIES = {
    "files": "open('/etc/hostname')",
    "network": "socket.socket()",
    "programs": "os.execv('/bin/true', ['true'])",
    "processes": "os.fork()",
    "memory": "bytearray(2 << 30)",
}


@pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
@pytest.mark.parametrize("what", TRIES)
def test_the_sandbox_takes_away(what: str) -> None:
    code = (
        "import os, socket\nfrom parley.intake import sandbox\nsandbox.enter()\n"
        f"try:\n    {TRIES[what]}\nexcept (PermissionError, MemoryError):\n    os._exit(7)\nos._exit(0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 7
