"""Avatars, in OpenAI's list of models and in Parley's own; and their portraits."""

import asyncio
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.responses import FileResponse

from gateway.errors import Refused
from gateway.http.access import Access
from gateway.http.enrolment import abilities
from parley.avatars import Avatar, list_avatars, load_avatar
from parley.errors import ParleyError
from parley.jobs.board import Board

MAKER_S = 1.0
_PORTRAIT = Path("face") / "portrait.png"


def router(avatars_dir: Path, board: Board, access: Access) -> APIRouter:
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
        """All avatars, and whether others can be made here (`maker`)."""
        found, maker = await asyncio.gather(everyone(), _maker(board))
        return {"object": "list", "data": [_as_avatar(a) for a in found], "maker": maker}

    @routes.get("/v1/avatars/{name}")
    async def avatar(name: str) -> dict[str, Any]:
        """One avatar."""
        return _as_avatar(await named(name))

    @routes.get("/v1/avatars/{name}/portrait.png")
    async def portrait(name: str) -> FileResponse:
        """The avatar's picture."""
        found = await named(name)
        path = found.folder / _PORTRAIT
        if not await asyncio.to_thread(path.is_file):
            raise Refused(404, "no_portrait", f"The avatar {name!r} has no portrait.")
        caching = "no-store" if found.own else "max-age=300"  # a person who is deleted is not kept elsewhere
        return FileResponse(path, media_type="image/png", headers={"Cache-Control": caching})

    return routes


async def _maker(board: Board) -> dict[str, Any]:
    try:
        async with asyncio.timeout(MAKER_S):
            able = await abilities(board)
    except ParleyError as error:
        return {"ready": False, "drawn": False, "reason": str(error)}
    except TimeoutError:
        return {"ready": False, "drawn": False, "reason": "Redis does not answer."}
    return {"ready": True, "drawn": able.drawn, "reason": ""}


def _as_avatar(avatar: Avatar) -> dict[str, Any]:
    has_portrait = (avatar.folder / _PORTRAIT).is_file()
    portrait = f"/v1/avatars/{avatar.name}/portrait.png"
    if avatar.own:  # who comes after them under the same name looks different
        portrait += f"?v={avatar.version}"
    return {
        "object": "avatar",
        "name": avatar.name,
        "title": avatar.title,
        "description": avatar.description,
        "language": avatar.language,
        "greeting": avatar.greeting,
        "voice": avatar.voice.voice,
        "own": avatar.own,
        "portrait": portrait if has_portrait else None,
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
