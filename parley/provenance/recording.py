"""Writing an answer as a file that says what it is."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from parley.engines import Picture
from parley.errors import MediaError
from parley.media.audio import float_to_pcm16, pcm16_to_float
from parley.media.video import write_mp4
from parley.provenance import credentials, watermark
from parley.provenance.badge import badged
from parley.provenance.manifest import Claims, sign
from parley.provenance.settings import ProvenanceSettings


def write_answer(
    path: Path,
    frames: Iterable[tuple[int, Picture]],
    pcm: bytes,
    *,
    avatar: str,
    engines: dict[str, str] | None = None,
    settings: ProvenanceSettings | None = None,
) -> None:
    """Writes a playable mp4 with a badge on the picture, a mark in the sound and a signed manifest.

    Args:
        path: Where to. What is there stays until the new file is whole.
        frames: (pts_samples, RGB uint8 [height, width, 3]) in order.
        pcm: s16le mono 24 kHz, starting at pts 0.
        avatar: Who answers.
        engines: By stage, for the manifest.
        settings: None: as the environment says.

    Raises:
        ConfigError: The signing key cannot be made or read.
        EngineUnavailable: c2pa-python is not installed.
        MediaError: No frames, or the file cannot be written.
    """
    settings = settings or ProvenanceSettings()
    signer = credentials.ensure(settings.folder) if settings.sign else None
    payload = None
    if settings.watermark:
        payload = signer.mark if signer else 0
        pcm = marked(pcm, payload, settings.pattern)
    if settings.badge:
        frames = badged(frames, settings.badge)
    claims = Claims(avatar, engines or {}, settings.badge, payload)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}-") as folder:
            plain, whole = Path(folder) / "plain.mp4", Path(folder) / "whole.mp4"
            write_mp4(plain, frames, pcm)
            if signer:
                sign(plain, whole, claims, signer, title=path.name)
            os.replace(whole if signer else plain, path)
    except OSError as error:
        raise MediaError(f"{path} cannot be written: {error}") from error


def marked(pcm: bytes, payload: int, pattern: str) -> bytes:
    """s16le speech with the mark in it; what tts has marked already stays as it is."""
    audio = pcm16_to_float(pcm)
    if watermark.detect(audio, pattern).payload is not None:
        return pcm
    return float_to_pcm16(watermark.mark(audio, payload, pattern))
