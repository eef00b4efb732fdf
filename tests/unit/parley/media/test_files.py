"""Audio files in and out."""

from pathlib import Path

import numpy as np
import pytest

from parley.errors import MediaError
from parley.media.files import read_audio, write_wav


def test_a_wav_comes_back_at_another_rate(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000).astype(np.float32)
    write_wav(tmp_path / "tone.wav", tone)
    back = read_audio(tmp_path / "tone.wav", 16_000)
    assert abs(len(back) - 16_000) < 50
    assert abs(np.sqrt((back**2).mean()) - 0.5 / np.sqrt(2)) < 0.01


@pytest.mark.parametrize("content", [b"", b"no audio at all, not in the least" * 50])
def test_what_is_no_audio_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"broken\.wav"):
        read_audio(path, 24_000)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"nowhere\.wav"):
        read_audio(tmp_path / "nowhere.wav", 24_000)
