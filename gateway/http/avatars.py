"""Avatars, in OpenAI's list of models and in Parley's own; and their portraits."""

import asyncio
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse

from gateway.errors import Refused
from gateway.http.access import Access
from parley.avatars import Avatar, list_avatars, load_avatar

_PORTRAIT = Path("face") / "portrait.png"


def router(avatars_dir: Path, access: Access) -> APIRouter:
    """`/v1/models`, `/v1/models/{name}`, `/v1/avatars`, `/v1/avatars/{name}`, its portrait."""
    routes = APIRouter(dependencies=[Depends(access.limited)], tags=["avatars"])

    async def everyone() -> list[Avatar]:
        return await asyncio.to_thread(list_avatars, avatars_dir)

    async def named(name: str) -> Avatar:
        return await asyncio.to_thread(load_avatar, avatars_dir, name)

    @routes.get("/v1/models")
    async def models() -> dict[str, Any]:
        """One model per avatar."""
        return {"object": "list", "data": [_as_model(a) for a in await everyone()]}

    @routes.get("/v1/models/{name}")
    async def model(name: str) -> dict[str, Any]:
        """One avatar as a model."""
        return _as_model(await named(name))

    @routes.get("/v1/avatars")
    async def avatars() -> dict[str, Any]:
        """All avatars."""
        return {"object": "list", "data": [_as_avatar(a) for a in await everyone()]}

    @routes.get("/v1/avatars/{name}")
    async def avatar(name: str) -> dict[str, Any]:
        """One avatar."""
        return _as_avatar(await named(name))

    @routes.get("/v1/avatars/{name}/portrait.png")
    async def portrait(name: str) -> FileResponse:
        """The avatar's picture."""
        path = (await named(name)).folder / _PORTRAIT
        if not await asyncio.to_thread(path.is_file):
            raise Refused(404, "no_portrait", f"The avatar {name!r} has no portrait.")
        return FileResponse(path, media_type="image/png", headers={"Cache-Control": "max-age=300"})

    return routes


def _as_avatar(avatar: Avatar) -> dict[str, Any]:
    has_portrait = (avatar.folder / _PORTRAIT).is_file()
    return {
        "object": "avatar",
        "name": avatar.name,
        "title": avatar.title,
        "description": avatar.description,
        "language": avatar.language,
        "greeting": avatar.greeting,
        "voice": avatar.voice.voice,
        "portrait": f"/v1/avatars/{avatar.name}/portrait.png" if has_portrait else None,
    }


def _as_model(avatar: Avatar) -> dict[str, Any]:
    manifest = avatar.folder / "avatar.yaml"
    shown = _as_avatar(avatar)
    return {
        "id": avatar.name,
        "object": "model",
        "created": int(manifest.stat().st_mtime),
        "owned_by": "parley",
        "parley": {key: shown[key] for key in ("title", "description", "language", "portrait")},
    }
