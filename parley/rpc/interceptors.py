"""Server interceptors: who may call, and how errors leave."""

import functools
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from parley.errors import ParleyError
from parley.rpc.errors import CODE_KEY, FIX_KEY, metadata_of, status_of

log = logging.getLogger(__name__)

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]]


async def _abort(context: Any, error: Exception, method: str) -> None:
    """Ends the call with the status that stands for `error`."""
    if isinstance(error, ParleyError):
        log.info("call refused", extra={"method": method, "code": error.code, "reason": error.message})
        await context.abort(status_of(error), error.message, metadata_of(error))
    log.error("call failed", exc_info=error, extra={"method": method})
    await context.abort(
        grpc.StatusCode.INTERNAL,
        "Something unexpected went wrong; the service's log has the details.",
        ((CODE_KEY, "internal_error"),),
    )


def _guard_single(behavior: Any, method: str) -> Any:
    @functools.wraps(behavior)
    async def guarded(request: Any, context: Any) -> Any:
        try:
            return await behavior(request, context)
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            raise
        except Exception as error:  # the top level of a call
            await _abort(context, error, method)

    return guarded


def _guard_stream(behavior: Any, method: str) -> Any:
    @functools.wraps(behavior)
    async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
        replies = behavior(request, context)
        try:
            async for reply in replies:
                yield reply
        except (grpc.aio.AbortError, grpc.aio.BaseError):
            raise
        except Exception as error:  # the top level of a call
            await _abort(context, error, method)
        finally:
            await replies.aclose()

    return guarded


class ErrorInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Turns errors into statuses: ParleyError with its code and fix, anything else logged and
    "internal_error".

    Servicers that stream must be async generators.
    """

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """Wraps the method that is called."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        # The standard services (health, reflection) speak their own statuses.
        if handler is None or not method.startswith("/parley."):
            return handler
        codecs = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(_guard_single(handler.unary_unary, method), **codecs)
        if handler.stream_unary:
            return grpc.stream_unary_rpc_method_handler(_guard_single(handler.stream_unary, method), **codecs)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(_guard_stream(handler.unary_stream, method), **codecs)
        return grpc.stream_stream_rpc_method_handler(_guard_stream(handler.stream_stream, method), **codecs)


class KeyInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Lets only callers with an API key in; health checks are free."""

    def __init__(self, keys: frozenset[str]) -> None:
        self._keys = [key.encode() for key in keys]
        self._refuse = grpc.unary_unary_rpc_method_handler(_unauthenticated)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        """Checks the bearer token."""
        if handler_call_details.method.startswith("/grpc.health."):
            return await continuation(handler_call_details)
        metadata = dict(handler_call_details.invocation_metadata or ())
        token = str(metadata.get("authorization", "")).removeprefix("Bearer ").encode()
        # No early exit and constant-time comparison: the time taken tells nothing about the keys.
        if sum(hmac.compare_digest(token, key) for key in self._keys):
            return await continuation(handler_call_details)
        return self._refuse


async def _unauthenticated(_request: Any, context: Any) -> None:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        "This service needs an API key.",
        (
            (CODE_KEY, "invalid_api_key"),
            (FIX_KEY, b"Send one of PARLEY_API_KEYS as a bearer token."),
        ),
    )
