"""Parley's errors across gRPC: the code and the fix travel in the trailing metadata."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import grpc.aio

from parley import errors
from parley.errors import ParleyError, ServiceUnavailable

CODE_KEY = "parley-code"
KIND_KEY = "parley-kind"  # the class's own code, where an error has a special one
FIX_KEY = "parley-fix-bin"  # "-bin": gRPC allows only ASCII in other values

_STATUS: dict[type[ParleyError], grpc.StatusCode] = {
    errors.BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.MediaError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnknownAvatar: grpc.StatusCode.NOT_FOUND,
    errors.ConfigError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.EngineUnavailable: grpc.StatusCode.FAILED_PRECONDITION,
    errors.ServiceUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.ChainUnavailable: grpc.StatusCode.UNAVAILABLE,
    errors.StaleGeneration: grpc.StatusCode.ABORTED,
    errors.LostClaim: grpc.StatusCode.ABORTED,
}
_CLASS = {cls.code: cls for cls in _STATUS}


def status_of(error: ParleyError) -> grpc.StatusCode:
    """The gRPC status that tells `error` to clients which know nothing of Parley's codes."""
    return next((code for cls, code in _STATUS.items() if isinstance(error, cls)), grpc.StatusCode.INTERNAL)


def metadata_of(error: ParleyError) -> tuple[tuple[str, str | bytes], ...]:
    """The trailing metadata from which `from_rpc` builds the same error again."""
    return ((CODE_KEY, error.code), (KIND_KEY, type(error).code), (FIX_KEY, error.fix.encode()))


def from_rpc(error: grpc.aio.AioRpcError, peer: str) -> ParleyError:
    """The error that a failed call stands for.

    Args:
        error: As raised by the call.
        peer: Who was called, in words, for the message: "asr at 127.0.0.1:50051".
    """
    details = error.details() or ""
    trailing = {key: value for key, value in (error.trailing_metadata() or ())}
    code = trailing.get(CODE_KEY)
    if code is not None:
        fix = trailing.get(FIX_KEY, b"")
        cls = _CLASS.get(str(trailing.get(KIND_KEY, code)), ParleyError)
        return cls(details, fix=fix.decode() if isinstance(fix, bytes) else fix, code=str(code))
    reason = f"{error.code().name}: {details}" if details else error.code().name
    return ServiceUnavailable(
        f"The call to {peer} failed ({reason}).",
        fix=f"Check that {peer} is running and that its address is right.",
    )


@contextmanager
def translated(peer: str) -> Iterator[None]:
    """Raises the ParleyError behind any failed call inside the block.

    Works around a single call and around `async for` over a stream.

    Args:
        peer: Who is called, in words.

    Raises:
        ServiceUnavailable: The peer does not answer.
        ParleyError: Whatever the peer raised, with its code.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error, peer) from error
