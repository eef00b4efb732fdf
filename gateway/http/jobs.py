"""`/v1/jobs/{id}`: how a job is, at once or as server-sent events; and its end before its time."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from gateway.errors import Refused, body, status_of
from gateway.http.access import Access
from gateway.realtime.registry import Registry
from parley.aio import with_signs_of_life
from parley.errors import ParleyError
from parley.jobs.board import Board
from parley.jobs.job import Job
from parley.jobs.spool import Spool

HEARTBEAT_S = 10.0  # proxies give a silent connection up after 30 s or more
LOOK_S = 0.5
MOST_WATCHERS: Final = 64
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


def router(board: Board, spool: Spool, registry: Registry, access: Access) -> APIRouter:
    """`GET` and `DELETE`."""
    routes = APIRouter(prefix="/v1/jobs", dependencies=[Depends(access.full)], tags=["jobs"])
    watching = 0

    @routes.get("/{job_id}")
    async def look(job_id: str, request: Request) -> Response:
        """The job; with `Accept: text/event-stream`, an event `job` now and at each change, up to its end."""
        if "text/event-stream" not in request.headers.get("accept", ""):
            return JSONResponse((await board.get(job_id)).shown(), headers=_HEADERS)
        if watching >= MOST_WATCHERS:
            raise Refused(503, "too_many_watchers", "Too many watch jobs.", fix="Ask for it as JSON.")
        states = board.watch(job_id)
        # The first state is awaited here, so that a failure is an HTTP error and no broken stream.
        return StreamingResponse(
            events(await anext(states), states), media_type="text/event-stream", headers=_HEADERS
        )

    @routes.delete("/{job_id}")
    async def cancel(job_id: str) -> dict[str, Any]:
        """Cancels the job; nothing of it stays."""
        job = await board.cancel(job_id)
        await asyncio.to_thread(spool.remove, job.id)
        return job.shown()

    async def events(first: Job, states: AsyncGenerator[Job, None]) -> AsyncGenerator[bytes, None]:
        nonlocal watching
        watching += 1
        silent_s = 0.0
        alive = with_signs_of_life(_or_none(states), every_s=LOOK_S, sign=lambda: None)
        try:
            yield _event("job", first.shown())
            async for job in alive:
                if registry.draining:
                    return  # whoever watches asks the next gateway
                silent_s = 0.0 if job else silent_s + LOOK_S
                if job is not None:
                    yield _event("job", job.shown())
                elif silent_s >= HEARTBEAT_S:
                    silent_s = 0.0
                    yield b": alive\n\n"
        except ParleyError as error:
            yield _event("error", body(str(error), status=status_of(error), code=error.code))
        finally:
            watching -= 1
            await alive.aclose()

    return routes


async def _or_none(states: AsyncGenerator[Job, None]) -> AsyncGenerator[Job | None, None]:
    """The same, in a type that has room for signs of life."""
    try:
        async for state in states:
            yield state
    finally:
        await states.aclose()


def _event(kind: str, content: dict[str, Any]) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps(content) + b"\n\n"
