"""Multipart forms whose parts are limited while they stream in, each by its own size."""

from collections.abc import Mapping

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from gateway.errors import Refused


async def read_form(request: Request, *, files: Mapping[str, int], fields: Mapping[str, int]) -> FormData:
    """Reads a request's form; close it when done.

    Args:
        request: Its body is not read yet.
        files: The files that may come, and how many bytes each may have at most.
        fields: The same of fields; a name may be in both.

    Raises:
        Refused: 413: a part is too large; 415: it is no such form; 400: it is broken, or has a
            part of another name.
        HTTPException: 413: the body as a whole is too large (`Guard`).
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Refused(415, "unsupported_media_type", "The body is no form.", fix="Send multipart/form-data.")
    try:
        return await _LimitedParser(request, files, fields).parse()
    except MultiPartException as error:
        raise Refused(400, "invalid_form", f"The form is broken: {error.message}") from error


class _LimitedParser(MultiPartParser):
    def __init__(self, request: Request, files: Mapping[str, int], fields: Mapping[str, int]) -> None:
        super().__init__(
            request.headers,
            request.stream(),
            max_files=len(files),
            max_fields=4 * len(fields),
            max_part_size=max(fields.values()),
        )
        self._files, self._fields = files, fields
        self._name, self._room = "", 0

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        is_file = self._current_part.file is not None
        kind, limits = ("file", self._files) if is_file else ("field", self._fields)
        self._name = name = self._current_part.field_name
        if name not in limits:
            raise Refused(
                400,
                "unknown_parameter",
                f"There is no {kind} {name[:64]!r} in this form.",
                fix=f"Its {kind}s are: {', '.join(sorted(limits))}.",
                param=name[:64],
            )
        self._room = self._most = limits[name]

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._room -= end - start
        if self._room < 0:
            most = f"{self._most >> 20} MiB" if self._most >= 1 << 20 else f"{self._most >> 10} KiB"
            raise Refused(
                413,
                "too_large",
                f"{self._name!r} may have at most {most}.",
                fix="Send less.",
                param=self._name,
            )
        super().on_part_data(data, start, end)


def text_of(form: FormData, name: str) -> str:
    """A field of the form, without space around it; empty: it is not there."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def file_of(form: FormData, name: str) -> UploadFile | None:
    """A file of the form; None: it is not there, or empty and without a name, as browsers send none."""
    value = form.get(name)
    if not isinstance(value, UploadFile) or (not value.size and not value.filename):
        return None
    return value
