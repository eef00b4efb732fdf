"""Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from parley import errors
from parley.consent import ConsentMissing
from parley.jobs.board import JobEnded, NameTaken
from parley.jobs.job import UnknownJob

log = logging.getLogger(__name__)

_STATUS: dict[type[errors.ParleyError], int] = {
    errors.UnknownAvatar: 404,
    UnknownJob: 404,
    JobEnded: 409,
    NameTaken: 409,
    ConsentMissing: 403,
    errors.BadRequest: 400,
    errors.MediaError: 400,
    errors.ServiceUnavailable: 503,
    errors.ChainUnavailable: 503,
    errors.EngineUnavailable: 503,
    errors.ConfigError: 500,
}


class Refused(errors.ParleyError):
    """The request is refused before anything is done; carries its HTTP status, and the part that is wrong."""

    def __init__(
        self, status: int, code: str, message: str, *, fix: str = "", param: str | None = None
    ) -> None:
        super().__init__(message, fix=fix, code=code)
        self.status = status
        self.param = param


def status_of(error: errors.ParleyError) -> int:
    """HTTP status of an error."""
    if isinstance(error, Refused):
        return error.status
    return next((status for cls, status in _STATUS.items() if isinstance(error, cls)), 500)


def body(message: str, *, status: int, code: str | None, param: str | None = None) -> dict[str, object]:
    """The JSON body of an error."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def response(error: errors.ParleyError) -> Response:
    """The HTTP response of an error."""
    status = status_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    param = error.param if isinstance(error, Refused) else None
    return JSONResponse(body(str(error), status=status, code=error.code, param=param), status, headers)


def install(app: FastAPI) -> None:
    """Makes the app answer every error in this shape."""

    async def on_parley_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, errors.ParleyError)
        return response(error)

    async def on_http_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}.get(error.status_code)
        content = body(str(error.detail), status=error.status_code, code=code)
        return JSONResponse(content, error.status_code, error.headers)

    async def on_invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        param = ".".join(str(part) for part in first["loc"] if part not in ("body", "query")) or None
        message = f"{param}: {first['msg']}" if param else first["msg"]
        return JSONResponse(body(message, status=400, code="invalid_request", param=param), 400)

    async def on_crash(request: Request, error: Exception) -> Response:
        log.error("A request failed.", exc_info=error, extra={"path": request.url.path})
        return JSONResponse(
            body("The server failed; its log says why.", status=500, code="internal_error"), 500
        )

    app.add_exception_handler(errors.ParleyError, on_parley_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(Exception, on_crash)
