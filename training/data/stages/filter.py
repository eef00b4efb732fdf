"""Stage 2, filter: is the recording fit, and where in it is one face large enough to learn from?

Whole recordings are turned down for length, loudness, clipping, noise, language (as the file names it, or as
a Whisper model hears it) and, if a face is required, for having none. Scenes that are unfit for the face keep
their reason in the row.
"""

from __future__ import annotations

import os
from pathlib import Path

import av
from pydantic import BaseModel, ConfigDict, Field

from training.data import languages, sound
from training.data.pictures import Scene, scenes
from training.data.workspace import Rejected, Workspace
from training.ledger import Row

NAME = "filter"
VERSION = 2
AFTER = ("fetch",)


class Config(BaseModel):
    """Limits.

    Attributes:
        min_s: shortest recording.
        max_h: longest recording, hours.
        language: two letters; a file that names another is turned down. Empty: any.
        language_model: a Whisper model that listens where the file names none; empty: such files are taken.
        min_language: and how sure it must be of another language to turn a file down.
        min_loudness_db: the loud tenth of it must reach this, dBFS.
        max_clipped: share of samples at full scale.
        min_snr_db: loud tenth over quiet tenth.
        face: `required` turns down videos without a fit scene and sound files; `wanted` looks for faces in
            videos and takes sound files; `ignored` does not look.
        min_face: height of the face over height of the picture.
        look_every_s: how often a picture is looked at for faces.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_s: float = 3.0
    max_h: float = 12.0
    language: str = "en"
    language_model: str = ""
    min_language: float = 0.6
    min_loudness_db: float = -45.0
    max_clipped: float = 0.01
    min_snr_db: float = 15.0
    face: str = Field("wanted", pattern="^(required|wanted|ignored)$")
    min_face: float = 0.15
    look_every_s: float = 0.5


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    path = work.path(item["file"])
    declared_s, has_video, language = _probe(path, config, str(item.get("language", "")))
    with work.blob(".wav") as wav:
        try:
            seconds, levels = sound.extract(path, wav.aside)
        except av.error.InvalidDataError as error:
            raise Rejected("unreadable", str(error)) from error
        if seconds < config.min_s:
            raise Rejected("too short", f"{seconds:.1f} s")
        if seconds < 0.9 * declared_s:
            raise Rejected("truncated", f"{seconds:.1f} s of {declared_s:.1f} s can be read")
        loud_db, quiet_db = levels.percentile_db(0.9), levels.percentile_db(0.1)
        if loud_db < config.min_loudness_db:
            raise Rejected("too quiet", f"{loud_db:.0f} dBFS")
        if levels.clipped > config.max_clipped:
            raise Rejected("clipped", f"{levels.clipped:.1%} of samples")
        if loud_db - quiet_db < config.min_snr_db:
            raise Rejected("noisy", f"{loud_db - quiet_db:.0f} dB over the noise")
        if config.language and config.language_model and not language:
            heard, sure = languages.spoken(config.language_model, wav.aside, seconds)
            if not heard.startswith(config.language) and sure >= config.min_language:
                raise Rejected("wrong language", f"{heard}, as it sounds")
        found = _faces(path, has_video, config)
    return [
        {
            **{name: item[name] for name in ("id", "title", "url", "licence", "consent", "file")},
            "audio": wav.name,
            "media_s": round(seconds, 3),
            "loud_db": loud_db,
            "snr_db": loud_db - quiet_db,
            "video": item["file"] if has_video else "",
            "scenes": [scene.row() for scene in found],
        }
    ]


def _probe(path: Path, config: Config, language: str) -> tuple[float, bool, str]:
    """Length as the file declares it (0: it does not), whether it has pictures, language (empty: unsaid)."""
    if not os.path.getsize(path):
        raise Rejected("empty file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise Rejected("no audio track")
            track = container.streams.audio[0]
            seconds = (container.duration or 0) / av.time_base
            language = (language or track.metadata.get("language", "")).removeprefix("und")
            has_video = any("attached_pic" not in str(s.disposition) for s in container.streams.video)
    except av.error.FFmpegError as error:
        raise Rejected("unreadable", str(error.strerror)) from error
    if seconds > config.max_h * 3600:
        raise Rejected("too long", f"{seconds / 3600:.1f} h")
    if config.language and language and not language.startswith(config.language):
        raise Rejected("wrong language", language)
    return seconds, has_video, language


def _faces(path: Path, has_video: bool, config: Config) -> list[Scene]:
    if config.face == "ignored":
        return []
    if not has_video:
        if config.face == "required":
            raise Rejected("no pictures")
        return []
    found = scenes(path, min_face=config.min_face, look_every_s=config.look_every_s)
    if not any(scene.fit for scene in found) and (config.face == "required" or found):
        reasons = [scene.reason for scene in found]
        raise Rejected(max(set(reasons), key=reasons.count, default="no pictures"))
    return found
