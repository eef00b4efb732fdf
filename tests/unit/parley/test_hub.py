"""Weights of the hub, from a hub of our own: checked, kept, mended, and refused if not as promised."""

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import huggingface_hub.constants
import pytest

from parley import hub
from parley.errors import BadRequest, EngineUnavailable

COMMIT = "c0ffee" + "0" * 34
FILES = {"config.json": b'{"a": 1}', "model.bin": b"weights" * 1000}
LARGE = "model.bin"  # as the hub keeps large files: named by its SHA-256


class Hub(BaseHTTPRequestHandler):
    """The three requests of the client: what a model has, a file's head, a file."""

    asked: list[str]
    files: dict[str, bytes]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith("/api/models/ann/ears"):
            told = {
                "id": "ann/ears",
                "sha": COMMIT,
                "siblings": [self.sibling(name, data) for name, data in FILES.items()],
            }
            return self.answer(json.dumps(told).encode(), {"Content-Type": "application/json"})
        self.file()

    def do_HEAD(self) -> None:
        self.file()

    def file(self) -> None:
        name = self.path.rpartition("/")[2]
        if f"/ann/ears/resolve/{COMMIT}/" not in self.path or name not in self.files:
            self.send_error(404)
            return
        data = self.files[name]
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        self.answer(data, headers)

    def answer(self, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass

    @staticmethod
    def sibling(name: str, data: bytes) -> dict[str, object]:
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        large = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 1}
        return {"rfilename": name, "size": len(data), "blobId": blob} | (
            {"lfs": large} if name == LARGE else {}
        )


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    class Fresh(Hub):
        asked, files = [], dict(FILES)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield Fresh
    server.shutdown()
    server.server_close()


EARS = hub.Wanted.parse("asr/ears=ann/ears")


def test_a_model_is_fetched_once_and_mended(served: type[Hub], tmp_path: Path) -> None:
    assert hub.fetch(EARS, tmp_path)
    folder = tmp_path / "asr" / "ears"
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    manifest = json.loads((folder / hub.MANIFEST).read_text())
    assert manifest["revision"] == COMMIT and set(manifest["sha256"]) == set(FILES)
    served.asked.clear()
    assert not hub.fetch(EARS, tmp_path), "nothing is to be done"
    assert not served.asked, "nobody was asked"
    (folder / LARGE).write_bytes(b"damaged")
    assert hub.fetch(EARS, tmp_path)
    assert (folder / LARGE).read_bytes() == FILES[LARGE]


def test_what_is_not_as_promised_does_not_count(served: type[Hub], tmp_path: Path) -> None:
    served.files["config.json"] = b'{"a": 2}'
    with pytest.raises(EngineUnavailable, match=r"config\.json is not the file that the hub promised"):
        hub.fetch(EARS, tmp_path)
    assert not (tmp_path / "asr" / "ears" / hub.MANIFEST).exists()


@pytest.mark.usefixtures("served")
def test_a_model_of_one_s_own_is_not_written_over(tmp_path: Path) -> None:
    own = tmp_path / "asr" / "ears" / "model.bin"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"trained here")
    with pytest.raises(BadRequest, match="did not come from here"):
        hub.fetch(EARS, tmp_path)
    assert own.read_bytes() == b"trained here"


@pytest.mark.usefixtures("served")
def test_terms_are_accepted_by_somebody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voice = hub.Wanted.parse("tts/xtts=ann/ears?PARLEY_TEST_TERMS")
    with pytest.raises(EngineUnavailable, match="PARLEY_TEST_TERMS=agreed"):
        hub.fetch(voice, tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("PARLEY_TEST_TERMS", "agreed")
    assert hub.fetch(voice, tmp_path)


@pytest.mark.usefixtures("served")
def test_a_model_that_the_hub_has_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="bob/nothing could not be fetched"):
        hub.fetch(hub.Wanted.parse("asr/x=bob/nothing"), tmp_path)


@pytest.mark.parametrize("told", ["asr/x", "=ann/ears", "asr/x=ears", "../x=ann/ears"])
def test_a_name_that_is_none_is_refused(told: str) -> None:
    with pytest.raises(BadRequest, match="names no model"):
        hub.Wanted.parse(told)


def test_a_revision_is_kept() -> None:
    assert hub.Wanted.parse("a=b/c@v1?T") == hub.Wanted("a", "b/c", "v1", "T")
