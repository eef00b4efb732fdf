"""Stage 0, pages: what a page, playlist or channel holds, one row a recording, by yt-dlp.

So each recording is an item of its own to `fetch`: one that is gone or private costs that one, and shards
share a channel's downloads. Files of this machine pass through.
"""

from __future__ import annotations

import itertools
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from training.data.workspace import Rejected, Workspace
from training.ledger import Row

NAME = "pages"
VERSION = 1
AFTER: tuple[str, ...] = ()


class Config(BaseModel):
    """Settings.

    Attributes:
        cookies: cookies file, for pages behind a login.
        max_downloads: of one page or playlist; 0: all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cookies: str = ""
    max_downloads: int = Field(0, ge=0)


def run(item: Row, config: Config, work: Workspace) -> list[Row]:
    """See `training/runner.py`."""
    if "path" in item:
        return [item]
    import yt_dlp

    options = {"quiet": True, "cookiefile": config.cookies or None, "extract_flat": True}
    with yt_dlp.YoutubeDL(options) as downloader:
        try:
            found = downloader.extract_info(item["url"], download=False, process=False)
            entries = _entries(found, config.max_downloads)
        except yt_dlp.utils.DownloadError as error:
            raise RuntimeError(str(error)) from error
    if not entries:
        raise Rejected("nothing to download", item["url"])
    return [item | each for each in entries]


def _entries(found: dict[str, Any] | None, most: int) -> list[Row]:
    """Where each recording is: at an address of its own, or at a place (1, 2, …) on the page."""
    if not found:
        return []
    if found.get("_type") not in ("playlist", "multi_video"):
        return [{}]
    rows: list[Row] = []
    for place, entry in enumerate(itertools.islice(found["entries"], most or None), 1):
        linked = entry and entry.get("_type") in ("url", "url_transparent")
        rows.append({"url": entry["url"]} if linked else {"place": place})
    return rows
