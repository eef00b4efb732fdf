"""`POST /v1/realtime/client_secrets`: short-lived keys for browsers, made by a server that has an API key."""

from typing import Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from gateway.auth import Authorizer
from gateway.config import GatewaySettings
from gateway.errors import Refused
from gateway.http.access import Access
from gateway.realtime.dialect import new_id
from gateway.realtime.session_config import SessionState, SessionUpdate
from parley.avatars import list_avatars, load_avatar


class ExpiresAfter(BaseModel):
    """When the secret can no longer be used to connect."""

    model_config = ConfigDict(extra="forbid")
    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(default=600, ge=10, le=7200)


class ClientSecretRequest(BaseModel):
    """What is asked for: an expiry, and the configuration that conversations start with."""

    model_config = ConfigDict(extra="forbid")
    expires_after: ExpiresAfter = ExpiresAfter()
    session: SessionUpdate = SessionUpdate()


def router(settings: GatewaySettings, authorizer: Authorizer, access: Access) -> APIRouter:
    """The one route."""
    routes = APIRouter(tags=["realtime"])

    @routes.post("/v1/realtime/client_secrets", dependencies=[Depends(access.full)])
    async def create(wanted: ClientSecretRequest | None = None) -> dict[str, Any]:
        """Makes a client secret."""
        wanted = wanted or ClientSecretRequest()
        update = wanted.session
        if update.model is None:
            avatars = list_avatars(settings.avatars_dir)
            if not avatars:
                raise Refused(404, "no_avatars", f"There are no avatars in {settings.avatars_dir.name}/.")
            avatar = avatars[0]
        else:
            avatar = load_avatar(settings.avatars_dir, update.model)
        value, expires_at = authorizer.issue(
            update.model_dump(mode="json", exclude_unset=True), seconds=wanted.expires_after.seconds
        )
        shown = SessionState().merged(update).shown(new_id("sess"), avatar)
        return {"value": value, "expires_at": expires_at, "session": shown}

    return routes
