"""fetch over HTTP by yt-dlp, against a server of our own that serves pages with media."""

import threading
import time
import wave
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from training.data.stages import fetch, pages
from training.data.subject import Source
from training.ledger import entries
from training.pool import StageRun
from training.runner import Runner

pytestmark = pytest.mark.integration

PAGE = """<html><head><title>A talk about tea</title></head>
<body><video controls><source src="talk.wav" type="audio/wav"></video></body></html>"""


# A channel, as far as yt-dlp needs one: its second recording is gone.
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Talks</title>
<item><title>One</title><link>{site}/talk1.html</link></item>
<item><title>Two</title><link>{site}/talk2.html</link></item>
<item><title>Three</title><link>{site}/talk3.html</link></item></channel></rss>"""

SEVERAL = """<html><head><title>Two talks</title></head><body>
<video controls><source src="talk.wav" type="audio/wav"></video>
<video controls><source src="second.wav" type="audio/wav"></video></body></html>"""


class Handler(SimpleHTTPRequestHandler):
    """Counts requests for media and says nothing."""

    asked: ClassVar[list[str]] = []
    cookies: ClassVar[set[str]] = set()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.cookies.add(self.headers.get("cookie", ""))
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "site"
    folder.mkdir()
    with wave.open(str(folder / "talk.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((np.sin(np.arange(32_000) / 20) * 9000).astype("<i2").tobytes())
    (folder / "page.html").write_text(PAGE)
    for number in (1, 2, 3):
        (folder / f"talk{number}.html").write_text(PAGE.replace("tea", f"part {number}"))
    (folder / "talk2.html").unlink()
    (folder / "several.html").write_text(SEVERAL)
    (folder / "second.wav").write_bytes((folder / "talk.wav").read_bytes()[:-2000])
    (folder / "nothing.html").write_text("<html><title>Nothing</title><body>No film here.</body></html>")
    Handler.asked, Handler.cookies = [], set()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        feed = FEED.format(site=f"http://127.0.0.1:{server.server_port}")
        (folder / "feed.xml").write_text(feed)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def runner(root: Path, *urls: str, cookies: str = "", retry: bool = False, rate_limit_kb: int = 0) -> Runner:
    sources = [Source(url=url, licence="CC0", consent="letter of 3 May") for url in urls]
    config = fetch.Config(format="b/ba/best", retries=0, cookies=cookies, rate_limit_kb=rate_limit_kb)
    stages = [StageRun(pages, pages.Config(cookies=cookies)), StageRun(fetch, config)]
    return Runner(root, stages, lambda: fetch.items(sources), retry=retry)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_page_is_fetched_once_with_origin_licence_consent_and_checksum(tmp_path, site):
    corpus = tmp_path / "corpus"
    for _ in range(2):
        found = runner(corpus, f"{site}/page.html")
        found.run()
        (row,) = found.rows("fetch")
    assert row["url"] == f"{site}/page.html"
    assert (row["licence"], row["consent"]) == ("CC0", "letter of 3 May")
    assert (corpus / row["file"]).read_bytes() == (tmp_path / "site" / "talk.wav").read_bytes()
    assert row["id"] == row["sha256"][:16] and len(row["sha256"]) == 64
    assert Handler.asked.count("/page.html") == 2  # what it holds, and that; nothing the second time


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_download_that_was_killed_before_its_line_is_not_downloaded_again(tmp_path, site):
    corpus = tmp_path / "corpus"
    runner(corpus, f"{site}/page.html").run()
    media = Handler.asked.count("/talk.wav")
    (corpus / "stages" / "fetch" / "ledger.0of1.jsonl").unlink()
    again = runner(corpus, f"{site}/page.html")
    again.run()
    assert len(list(again.rows("fetch"))) == 1
    # The page's own look at the file may come again; its bytes do not, or there would be two more.
    assert Handler.asked.count("/talk.wav") <= media + 1


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_pages_without_media_or_not_there_are_rows_with_a_reason(tmp_path, site):
    corpus = tmp_path / "corpus"
    runner(corpus, f"{site}/nothing.html", f"{site}/missing.html", f"{site}/page.html").run()
    ends = [(entry["status"], entry["reason"]) for entry in entries(corpus, "pages")]
    assert [status for status, _ in ends] == ["failed", "failed", "done"]
    assert "Unsupported URL" in ends[0][1] and "404" in ends[1][1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_one_recording_of_a_channel_that_is_gone_costs_that_one_only(tmp_path, site):
    corpus = tmp_path / "corpus"
    found = runner(corpus, f"{site}/feed.xml")
    found.run()
    assert [row["url"] for row in found.rows("fetch")] == [f"{site}/talk1.html", f"{site}/talk3.html"]
    ends = [(entry["status"], entry["reason"]) for entry in entries(corpus, "fetch")]
    assert [status for status, _ in ends] == ["done", "failed", "done"] and "404" in ends[1][1]
    # It is back, and is asked for: the others are not downloaded again.
    (tmp_path / "site" / "talk2.html").write_text(PAGE)
    asked = Handler.asked.count("/talk.wav")
    again = runner(corpus, f"{site}/feed.xml", retry=True)
    again.run()
    assert len(list(again.rows("fetch"))) == 3
    assert Handler.asked.count("/talk.wav") <= asked + 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_page_with_several_recordings_gives_each(tmp_path, site):
    found = runner(tmp_path / "corpus", f"{site}/several.html")
    found.run()
    rows = list(found.rows("fetch"))
    assert len({row["sha256"] for row in rows}) == len(rows) == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_cookies_are_sent_and_the_rate_is_limited(tmp_path, site):
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t2147483647\tmember\tyes\n")
    began = time.monotonic()
    found = runner(tmp_path / "corpus", f"{site}/page.html", cookies=str(cookies), rate_limit_kb=40)
    found.run()
    (row,) = found.rows("fetch")
    assert "member=yes" in Handler.cookies
    assert time.monotonic() - began > 0.9 * row["bytes"] / 40 / 1024
