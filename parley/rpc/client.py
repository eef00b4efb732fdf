"""Calling Parley's services."""

from typing import Any

import grpc.aio

from parley.rpc.errors import translated
from parley.rpc.limits import CHANNEL_OPTIONS
from proto.parley.v1 import info_pb2, info_pb2_grpc


class _Bearer:
    """Sends the API key with every call."""

    def __init__(self, api_key: str) -> None:
        self._header = ("authorization", f"Bearer {api_key}")

    async def _send(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        metadata.add(*self._header)
        return await continuation(details._replace(metadata=metadata), request)


# grpc sorts an interceptor into the first kind of call whose base it has, so each kind needs a class of its
# own.
class _BearerUnaryUnary(_Bearer, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    intercept_unary_unary = _Bearer._send


class _BearerUnaryStream(_Bearer, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[misc]
    intercept_unary_stream = _Bearer._send


class _BearerStreamUnary(_Bearer, grpc.aio.StreamUnaryClientInterceptor):  # type: ignore[misc]
    intercept_stream_unary = _Bearer._send


class _BearerStreamStream(_Bearer, grpc.aio.StreamStreamClientInterceptor):  # type: ignore[misc]
    intercept_stream_stream = _Bearer._send


_BEARERS = (_BearerUnaryUnary, _BearerUnaryStream, _BearerStreamUnary, _BearerStreamStream)


def channel(address: str, *, api_key: str = "") -> grpc.aio.Channel:
    """A channel to a service; close it with `await channel.close()` or `async with`.

    It connects when first used and reconnects by itself. Wrap calls in `parley.rpc.errors.translated`.

    Args:
        address: "host:port".
        api_key: Sent as a bearer token when not empty; needed where the service binds a public address.
    """
    interceptors = [bearer(api_key) for bearer in _BEARERS] if api_key else None
    return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS, interceptors=interceptors)


async def describe(address: str, *, api_key: str = "", timeout_s: float = 2.0) -> info_pb2.ServiceInfo:
    """What runs behind `address`.

    Raises:
        ServiceUnavailable: Nobody answers there within `timeout_s`.
    """
    async with channel(address, api_key=api_key) as link:
        with translated(f"the service at {address}"):
            stub = info_pb2_grpc.InfoStub(link)  # type: ignore[no-untyped-call]
            info: info_pb2.ServiceInfo = await stub.Describe(info_pb2.DescribeRequest(), timeout=timeout_s)
    return info
