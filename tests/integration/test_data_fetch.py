"""fetch over HTTP by yt-dlp, against a server of our own that serves pages with media."""

import threading
import wave
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from training.data.stages import fetch
from training.data.subject import Source
from training.ledger import entries
from training.pool import StageRun
from training.runner import Runner

pytestmark = pytest.mark.integration

PAGE = """<html><head><title>A talk about tea</title></head>
<body><video controls><source src="talk.wav" type="audio/wav"></video></body></html>"""


class Handler(SimpleHTTPRequestHandler):
    """Counts requests for media and says nothing."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
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
    (folder / "nothing.html").write_text("<html><title>Nothing</title><body>No film here.</body></html>")
    Handler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def runner(root: Path, *urls: str) -> Runner:
    sources = [Source(url=url, licence="CC0", consent="letter of 3 May") for url in urls]
    config = fetch.Config(format="b/ba/best", retries=0)
    return Runner(root, [StageRun(fetch, config)], lambda: fetch.items(sources))


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
    assert Handler.asked.count("/page.html") == 1


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
    ends = [(entry["status"], entry["reason"]) for entry in entries(corpus, "fetch")]
    assert [status for status, _ in ends] == ["failed", "failed", "done"]
    assert "Unsupported URL" in ends[0][1] and "404" in ends[1][1]
