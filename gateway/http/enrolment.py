"""`POST /v1/avatars`: an avatar of a person who agreed; `DELETE /v1/avatars/{name}`: it is no more.

What is sent is checked and handed to a maker (`training.maker`); the answer is a job to watch.
"""

import asyncio
import io
import logging
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from gateway.errors import Refused
from gateway.http.access import Access
from gateway.http.forms import file_of, read_form, text_of
from gateway.realtime.registry import Registry
from gateway.services import Services
from parley import consent
from parley.avatars import NAME, remove_avatar
from parley.consent import Consent, ConsentMissing
from parley.errors import MediaError, ServiceUnavailable, UnknownAvatar
from parley.intake.decode import decode_audio, decode_picture
from parley.intake.limits import PICTURE_BYTES, SPEECH_BYTES, SPEECH_S, TEXT_BYTES
from parley.jobs.board import Board, MakerAbilities, NameTaken
from parley.jobs.job import Job
from parley.jobs.spool import PHOTO, SPEECH, TEXT, Spool, Wanted
from parley.media.clock import BYTES_PER_SAMPLE, SAMPLE_RATE_HZ

log = logging.getLogger(__name__)

_FILES: Final = {"photo": PICTURE_BYTES, "speech": SPEECH_BYTES, "text": TEXT_BYTES}
_FIELDS: Final = {
    "name": 256,
    "title": 1 << 10,
    "text": TEXT_BYTES,
    "drawn": 256,
    "person": 2 << 10,
    "consent": 256,
    "statement": 16 << 10,
    "evidence": 2 << 10,
}
_LONGEST_TITLE: Final = 64
_BOOLEANS: Final = {"": False, "false": False, "0": False, "true": True, "1": True}
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name", "photo", "text", "person", "consent", "statement"],
                    "properties": {
                        "name": {"type": "string", "pattern": f"^{NAME.pattern}$"},
                        "title": {"type": "string", "maxLength": _LONGEST_TITLE},
                        "photo": {"type": "string", "format": "binary"},
                        "speech": {"type": "string", "format": "binary"},
                        "text": {"type": "string"},
                        "drawn": {"type": "boolean"},
                        "person": {"type": "string", "minLength": 2},
                        "consent": {
                            "type": "array",
                            "items": {"type": "string", "enum": ["face", "voice", "text"]},
                        },
                        "statement": {"type": "string", "minLength": 20},
                        "evidence": {"type": "string"},
                    },
                }
            }
        },
    }
}


async def abilities(board: Board) -> MakerAbilities:
    """What can be made now.

    Raises:
        ServiceUnavailable: Nothing, since no maker runs.
        ChainUnavailable: Redis does not answer.
    """
    found = await board.maker()
    if found is None:
        raise ServiceUnavailable(
            "No avatars can be made here now: no maker runs.",
            fix="On the server, run `scripts/setup python data` and start `parley up` again, "
            "or start `python -m training.maker`.",
            code="maker_unavailable",
        )
    return found


def router(
    avatars_dir: Path, board: Board, spool: Spool, registry: Registry, services: Services, access: Access
) -> APIRouter:
    """The two routes."""
    routes = APIRouter(dependencies=[Depends(access.full)], tags=["avatars"])
    checking = asyncio.Semaphore(1)  # a picture of 40 million pixels takes 120 MB

    @routes.post("/v1/avatars", status_code=202, openapi_extra=_FORM)
    async def enrol(request: Request) -> Response:
        """Has an avatar made; the answer is the job (`/v1/jobs/{id}`)."""
        able = await abilities(board)
        form = await read_form(request, files=_FILES, fields=_FIELDS)
        try:
            wanted = _wanted(form, able, avatars_dir)
            async with checking:
                files = await asyncio.to_thread(_files, form)
            job = Job.new(wanted.name)
            await asyncio.to_thread(spool.put, job.id, wanted, files)
        finally:
            await form.close()
        try:
            await board.post(job)
        except BaseException as error:
            spool.remove(job.id)
            if isinstance(error, NameTaken):
                raise _taken(error.message) from error
            raise
        log.info("An avatar is to be made.", extra={"job": job.id, "avatar": job.avatar})
        return JSONResponse(job.shown(), 202, {"Location": f"/v1/jobs/{job.id}"})

    @routes.delete("/v1/avatars/{name}")
    async def remove(name: str) -> dict[str, Any]:
        """Deletes an avatar of a person, its consent record too; conversations with it end."""
        folder = avatars_dir / name
        if not NAME.fullmatch(name) or not (folder / "avatar.yaml").is_file():
            raise UnknownAvatar(f"There is no avatar named {name!r}.", fix="GET /v1/avatars lists them.")
        if not (folder / consent.FILE).is_file():
            raise Refused(
                403,
                "avatar_not_deletable",
                f"{name!r} is nobody's own: only avatars of people who agreed are deleted here.",
                fix=f"On the server, `parley avatar remove {name}` deletes any.",
            )
        await asyncio.to_thread(remove_avatar, avatars_dir, name)
        services.forget(name)
        ended = await registry.end(name)
        log.info("An avatar was deleted.", extra={"avatar": name, "conversations": ended})
        return {"object": "avatar.deleted", "name": name, "deleted": True}

    return routes


def _wanted(form: FormData, able: MakerAbilities, avatars_dir: Path) -> Wanted:
    """What the form asks for.

    Raises:
        Refused: 400, 403, 409; it names the field.
    """
    name, title, drawn = (text_of(form, field) for field in ("name", "title", "drawn"))
    if not NAME.fullmatch(name):
        raise _wrong(
            "name",
            f"{name[:64]!r} cannot be an avatar's name.",
            "Use up to 63 of a-z, 0-9, - and _; begin with one of a-z, 0-9.",
        )
    if (avatars_dir / name).exists():
        raise _taken(f"There is an avatar {name!r} already, or a consent record for one.")
    if len(title) > _LONGEST_TITLE or not title.isprintable():
        raise _wrong("title", "The title is no title.", f"Use one line of up to {_LONGEST_TITLE} characters.")
    if drawn not in _BOOLEANS:
        raise _wrong("drawn", f"{drawn[:64]!r} is neither true nor false.", "Send drawn=true, or nothing.")
    if _BOOLEANS[drawn] and not able.drawn:
        raise Refused(
            400,
            "drawn_unavailable",
            "No cartoons can be made here.",
            fix="On the server, run `scripts/setup python train` and start the maker again.",
            param="drawn",
        )
    speech = file_of(form, "speech") is not None
    return Wanted(
        name=name, title=title, drawn=_BOOLEANS[drawn], speech=speech, consent=_consent(form, speech=speech)
    )


def _consent(form: FormData, *, speech: bool) -> Consent:
    """The consent that came with the form.

    Raises:
        Refused: 403: the person did not agree to all that is sent; 400: a field is missing or malformed.
    """
    told = ",".join(each for each in form.getlist("consent") if isinstance(each, str))
    agreed = {part.strip() for part in told.split(",")} - {""}
    missing = [part for part in ("face", *(["voice"] if speech else []), "text") if part not in agreed]
    if missing:
        raise Refused(
            403,
            ConsentMissing.code,
            f"Without the person's consent to {' and '.join(missing)} nothing is made of them.",
            fix=f"Ask the person, and send {' and '.join(f'consent={part}' for part in missing)}.",
            param="consent",
        )
    record = {
        "person": text_of(form, "person"),
        "granted": date.today(),
        "purposes": sorted(agreed),
        "statement": text_of(form, "statement"),
        "evidence": text_of(form, "evidence") or "sent with POST /v1/avatars",
    }
    try:
        return Consent.model_validate(record)
    except ValidationError as error:
        first = error.errors()[0]
        field = "consent" if first["loc"][0] == "purposes" else str(first["loc"][0])
        raise _wrong(
            field,
            f"The consent is not whole: {field}: {first['msg']}.",
            "Say who the person is (person), what they agreed to (consent), and in which words (statement).",
        ) from error


def _files(form: FormData) -> Mapping[str, BinaryIO]:
    """The files of the form, each one readable. Blocks.

    Raises:
        Refused: 400; it names the file, the cause and the fix.
    """
    photo, speech = file_of(form, "photo"), file_of(form, "speech")
    if photo is None:
        raise _wrong("photo", "There is no photo.", "Send a picture of the face, from the front.")
    try:
        decode_picture(photo.file.read())
    except MediaError as error:
        raise _unreadable("photo", error) from error
    files: dict[str, BinaryIO] = {PHOTO: photo.file, TEXT: _text(form)}
    if speech is not None:
        shortest_s, longest_s = SPEECH_S
        try:
            seconds = len(decode_audio(speech.file, max_s=longest_s)) / BYTES_PER_SAMPLE / SAMPLE_RATE_HZ
            if seconds < shortest_s:
                raise MediaError(
                    f"There are {seconds:.1f} s of sound.",
                    fix=f"Send {shortest_s:.0f} to {longest_s:.0f} s of one person's speech.",
                    code="media_too_short",
                )
        except MediaError as error:
            raise _unreadable("speech", error) from error
        files[SPEECH] = speech.file
    return files


def _text(form: FormData) -> BinaryIO:
    """What the avatar is to know: a file, or a field."""
    upload = file_of(form, "text")
    data = upload.file.read() if upload is not None else text_of(form, "text").encode()
    try:
        if data.decode("utf-8").strip():
            return io.BytesIO(data)
    except UnicodeDecodeError as error:
        raise _wrong("text", "The text is not in UTF-8.", "Save it as plain text or Markdown.") from error
    raise _wrong("text", "There is no text.", "Send some paragraphs that the avatar shall know.")


def _wrong(param: str, message: str, fix: str) -> Refused:
    return Refused(400, "invalid_request", message, fix=fix, param=param)


def _taken(message: str) -> Refused:
    return Refused(409, NameTaken.code, message, fix="Choose another name.", param="name")


def _unreadable(param: str, error: MediaError) -> Refused:
    return Refused(400, error.code, error.message, fix=error.fix, param=param)
