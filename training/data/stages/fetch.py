"""Stage 1, fetch: recordings from folders of this machine, and from pages by yt-dlp (`pages` found them).

Each row names the recording's checksum (its id from here on), origin, licence and consent.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from parley.errors import ConfigError
from training.data.workspace import Rejected, Workspace, guarded
from training.ledger import Row

if TYPE_CHECKING:
    from training.data.subject import Source

NAME = "fetch"
VERSION = 2
AFTER = ("pages",)

MEDIA = frozenset(".mp4 .mkv .webm .mov .avi .m4v .ts .wav .mp3 .flac .ogg .opus .m4a .mka .aac".split())


class Config(BaseModel):
    """Settings of yt-dlp; local folders need none.

    Attributes:
        format: yt-dlp's format choice.
        rate_limit_kb: download speed, KB/s; 0: no limit.
        cookies: cookies file, for pages behind a login.
        retries: of one download.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str = "bv*[height<=720]+ba/b[height<=720]/b/ba"
    rate_limit_kb: int = Field(0, ge=0)
    cookies: str = ""
    retries: int = Field(5, ge=0)


def items(sources: list[Source]) -> Iterator[Row]:
    """One item a file or page. A file that changed is a new item.

    Raises:
        ConfigError: a path that does not exist.
    """
    for source in sources:
        about: Row = {"licence": source.licence, "consent": source.consent}
        if source.path is None:
            yield {"url": source.url, **about}
            continue
        if not source.path.exists():
            raise ConfigError(
                f"{source.path}, a source, does not exist.", fix="Correct `path` in the config."
            )
        for path in _files(source.path, source.exclude):
            stat = path.stat()
            yield {"path": str(path), "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns, **about}


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    if "path" in item:
        path = Path(item["path"])
        return [_row(path, str(path), path.as_uri(), path.stem, item, {})]
    return list(_download(item, config, work))


def _files(path: Path, exclude: list[str]) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for each in sorted(path.rglob("*")):
        name = each.relative_to(path).as_posix()
        if each.suffix.lower() in MEDIA and not any(fnmatch.fnmatch(name, pattern) for pattern in exclude):
            yield each


def _row(path: Path, name: str, url: str, title: str, item: Row, about: dict[str, Any]) -> Row:
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "id": checksum[:16],
        "sha256": checksum,
        "file": name,
        "url": url,
        "title": title,
        "licence": item["licence"],
        "consent": item["consent"],
        "bytes": path.stat().st_size,
        **about,
    }


def _download(item: Row, config: Config, work: Workspace) -> Iterator[Row]:
    """Downloads a recording. A killed download goes on where it was; a finished one is not repeated."""
    import yt_dlp

    folder = work.root / "downloads" / work.key
    with guarded(work.root):
        folder.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {
            "format": config.format,
            "outtmpl": str(folder / "%(extractor)s-%(id)s.%(ext)s"),
            "download_archive": str(folder / "archive.txt"),
            "writeinfojson": True,
            "continuedl": True,
            "retries": config.retries,
            "quiet": True,
            "noprogress": True,
            "ratelimit": config.rate_limit_kb * 1024 or None,
            "cookiefile": config.cookies or None,
            "playlist_items": str(item["place"]) if "place" in item else None,
        }
        with yt_dlp.YoutubeDL(options) as downloader:
            try:
                downloader.download([item["url"]])
            except yt_dlp.utils.DownloadError as error:
                raise RuntimeError(str(error)) from error
    found = False
    for path in sorted(folder.iterdir()):
        about = path.with_suffix(".info.json")
        if path.suffix.lower() not in MEDIA or not about.exists():
            continue
        found = True
        info = json.loads(about.read_text())
        language = {"language": info["language"]} if info.get("language") else {}
        yield _row(
            path,
            path.relative_to(work.root).as_posix(),
            info.get("webpage_url") or item["url"],
            info.get("title") or path.stem,
            item,
            language,
        )
    if not found:
        raise Rejected("nothing to download", item["url"])
