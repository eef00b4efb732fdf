"""What operators ask: alive, ready, metrics."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.http.access import Access
from gateway.realtime.registry import Registry
from gateway.services import Services


def router(services: Services, registry: Registry, access: Access) -> APIRouter:
    """`/healthz`, `/readyz`, `/metrics`."""
    routes = APIRouter(tags=["operations"])

    @routes.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process is alive."""
        return {"status": "ok"}

    @routes.get("/readyz")
    async def readyz(_: Request) -> Response:
        """Whether a conversation could be held now; each service's engine, or why it is not ready."""
        ready, report = await services.readiness()
        body: dict[str, Any] = {**report, "sessions": registry.load, "draining": registry.draining}
        body["ready"] = ready and not registry.draining
        return JSONResponse(body, 200 if body["ready"] else 503)

    @routes.get("/metrics", dependencies=[Depends(access.full)])
    async def metrics() -> Response:
        """Prometheus text."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return routes
