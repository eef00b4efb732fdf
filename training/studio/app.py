"""The studio's HTTP interface, below `/studio`. Endpoints are plain functions: they run in threads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from parley import errors
from services.asr.g2p import check_pronunciation
from training.data.clips import LexiconEntry, State
from training.data.store import Corpus, UnknownClip
from training.data.voices import Casting
from training.data.workspace import StorageStopped, guarded
from training.studio import pace, sound, views, voice
from training.studio.desk import Collision, Desk
from training.studio.guard import Guard
from training.studio.presence import Presence

STATIC = Path(__file__).resolve().parent / "static"
_FOREVER = "public, max-age=31536000, immutable"  # names of built files carry a hash of their content
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The page is not built</title>
<h1>The review page is not built yet</h1><p>In the repository: <code>make web</code>, then reload.</p>"""
_STATUS: dict[type[errors.ParleyError], int] = {
    UnknownClip: 404,
    errors.BadRequest: 400,
    errors.MediaError: 404,
    errors.EngineUnavailable: 503,
    StorageStopped: 507,
}

Seconds = Annotated[float, Query(ge=0)]


def create_app(corpus: Corpus, subject: str, *, static: Path = STATIC) -> FastAPI:
    """The application.

    Args:
        corpus: what is reviewed.
        subject: its name, for people.
        static: folder with the built page.
    """
    app = FastAPI(title="Parley studio", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard)
    _install_errors(app)
    desk, presence = Desk(corpus), Presence()
    app.include_router(_clips(desk, presence, subject), prefix="/studio/api")
    app.include_router(_words(desk), prefix="/studio/api")
    app.include_router(_voices(Casting(corpus.root)), prefix="/studio/api")
    app.include_router(_page(static))
    return app


def _clips(desk: Desk, presence: Presence, subject: str) -> APIRouter:
    routes = APIRouter()
    tally = pace.Tally(desk.review)

    @routes.get("/queue")
    def queue(
        state: Annotated[list[State], Query()] = ["todo", "draft"],  # noqa: B006 (FastAPI copies it)
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
        by: str = "",
        tab: str = "",
        clip: str = "",
    ) -> views.QueueView:
        if tab:
            presence.tell(tab, clip)
        return views.QueueView(
            subject=subject,
            clips=desk.queue(state, limit, presence.elsewhere(tab)),
            progress=tally.progress(by),
        )

    @routes.get("/clips/{clip}")
    def one(clip: str, tab: str = "") -> views.ClipView:
        found = desk.clip(clip)
        if tab:
            presence.tell(tab, clip)
        return found

    @routes.get("/clips/{clip}/history")
    def history(clip: str) -> list[views.HistoryEntry]:
        return desk.history(clip)

    @routes.get("/clips/{clip}/sound")
    def clip_sound(
        clip: str,
        start_s: Seconds,
        end_s: Seconds,
        range_: Annotated[str | None, Header(alias="range")] = None,
    ) -> Response:
        return sound.ranged(desk.wav(clip, start_s, end_s), "audio/wav", range_)

    @routes.get("/clips/{clip}/peaks")
    def clip_peaks(
        clip: str, start_s: Seconds, end_s: Seconds, bins: Annotated[int, Query(ge=1, le=4000)] = 600
    ) -> list[int]:
        return sound.peaks(desk.wav(clip, start_s, end_s), bins)

    @routes.post("/edits")
    def submit(asked: views.Submission) -> views.Submitted:
        with guarded(desk.corpus.root):
            return desk.submit(asked)

    @routes.post("/edits/{seq}/undo")
    def undo(seq: int, asked: views.UndoRequest) -> views.Undone:
        with guarded(desk.corpus.root):
            return desk.undo(seq, asked.by)

    @routes.get("/sources")
    def sources() -> list[views.SourceView]:
        return desk.sources()

    @routes.post("/transcripts")
    def transcript(asked: views.ImportRequest) -> views.Imported:
        with guarded(desk.corpus.root):
            return desk.take_transcript(asked)

    return routes


def _words(desk: Desk) -> APIRouter:
    routes = APIRouter()

    @routes.get("/places")
    def places(word: Annotated[str, Query(min_length=1)], replacement: str) -> list[views.Place]:
        return desk.places(word, replacement)

    @routes.post("/places")
    def fix(asked: views.FixRequest) -> views.Submitted:
        with guarded(desk.corpus.root):
            return desk.fix(asked)

    @routes.get("/lexicon")
    def lexicon() -> views.LexiconView:
        return views.LexiconView(entries=sorted(desk.corpus.lexicon().values(), key=lambda each: each.word))

    @routes.post("/lexicon")
    def teach(asked: views.TeachRequest) -> LexiconEntry:
        with guarded(desk.corpus.root):
            return desk.corpus.teach(asked.word, check_pronunciation(asked.word, asked.phones), asked.by)

    @routes.get("/pronunciation")
    def pronunciation(word: Annotated[str, Query(min_length=1, max_length=200)]) -> dict[str, str]:
        taught = desk.corpus.lexicon().get(word)
        return {"phones": taught.phones if taught else voice.phones_of(word)}

    @routes.get("/pronunciation/sound")
    def pronunciation_sound(
        word: str,
        phones: Annotated[str, Query(min_length=1, max_length=400)],
        range_: Annotated[str | None, Header(alias="range")] = None,
    ) -> Response:
        return sound.ranged(voice.say(word, phones), "audio/wav", range_)

    return routes


def _voices(casting: Casting) -> APIRouter:
    routes = APIRouter()

    @routes.get("/voices")
    def voices() -> list[views.VoiceView]:
        found, waiting = casting.found(), casting.waiting()
        return [
            views.VoiceView(
                label=each.label,
                seconds=each.seconds,
                recordings=each.recordings,
                titles=sorted({piece.title for piece in each.pieces}),
                target=each.label == found.target,
                waiting=each.label == waiting,
            )
            for each in found.voices
        ]

    @routes.get("/voices/{label}/sound")
    def voice_sound(label: str, range_: Annotated[str | None, Header(alias="range")] = None) -> Response:
        return sound.ranged(casting.sound(label), "audio/wav", range_)

    @routes.post("/voices/pick")
    def pick(asked: views.PickRequest) -> list[views.VoiceView]:
        with guarded(casting.root):
            casting.pick(asked.label, asked.by)
        return voices()

    return routes


def _page(static: Path) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    @routes.get("/studio")
    @routes.get("/studio/")
    def home() -> Response:
        return RedirectResponse("/studio/review")

    @routes.get("/studio/review")
    def page() -> Response:
        built = static / "studio.html"
        if not built.is_file():
            return HTMLResponse(_MISSING, 503)
        return FileResponse(built, headers={"Cache-Control": "no-cache"})

    @routes.get("/studio/{path:path}")
    def file(path: str) -> Response:
        found = (static / path).resolve()
        if not found.is_relative_to(static.resolve()) or not found.is_file():
            raise HTTPException(404, f"There is no /studio/{path[:200]}.")
        caching = _FOREVER if path.startswith("assets/") else "no-cache"
        return FileResponse(found, headers={"Cache-Control": caching})

    return routes


def _install_errors(app: FastAPI) -> None:
    """Errors are `{"error": {"code", "message"}}`; a collision also has `conflicts`, with both texts."""

    def body(code: str, message: str) -> dict[str, object]:
        return {"error": {"code": code, "message": message}}

    async def on_collision(_: Request, error: Exception) -> Response:
        assert isinstance(error, Collision)
        conflicts = [each.model_dump() for each in error.conflicts]
        return JSONResponse({**body("conflict", str(error)), "conflicts": conflicts}, 409)

    async def on_parley_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, errors.ParleyError)
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
        return JSONResponse(body(error.code, str(error)), status)

    async def on_http_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return JSONResponse(body("refused", str(error.detail)), error.status_code, error.headers)

    async def on_invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
        return JSONResponse(body("invalid_request", f"{where}: {first['msg']}"), 422)

    app.add_exception_handler(Collision, on_collision)
    app.add_exception_handler(errors.ParleyError, on_parley_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
