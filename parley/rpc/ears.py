"""Ears at the other end of a gRPC connection."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio

from parley.conversation.interface import EarStream
from parley.errors import ServiceUnavailable
from parley.rpc.client import channel
from parley.rpc.errors import translated
from proto.parley.v1 import asr_pb2, asr_pb2_grpc


class GrpcEars:
    """Implements `parley.conversation.interface.Ears` with the asr service."""

    def __init__(self, address: str, *, api_key: str = "") -> None:
        """Connects when first used.

        Args:
            address: "host:port".
            api_key: Sent as a bearer token when not empty.
        """
        self._peer = f"asr at {address}"
        self._channel = channel(address, api_key=api_key)
        self._stub = asr_pb2_grpc.AsrStub(self._channel)  # type: ignore[no-untyped-call]

    async def open(self, config: asr_pb2.ListenConfig) -> EarStream:
        """Opens a listening stream.

        Raises:
            ServiceUnavailable: Nobody listens there.
        """
        stream = GrpcEarStream(self._stub.Listen(), self._peer)
        await stream.send(asr_pb2.ListenRequest(config=config))
        return stream

    async def close(self) -> None:
        """Disconnects; streams end."""
        await self._channel.close()


class GrpcEarStream:
    """One Listen call."""

    def __init__(self, call: Any, peer: str) -> None:
        self._call = call
        self._peer = peer

    async def send(self, request: asr_pb2.ListenRequest) -> None:
        """Sends a request.

        Raises:
            ServiceUnavailable: The ears are gone.
            ParleyError: They refused an earlier request, for this reason.
        """
        with translated(self._peer):
            try:
                await self._call.write(request)
            except (grpc.aio.UsageError, asyncio.InvalidStateError) as error:
                raise ServiceUnavailable(
                    f"The stream to {self._peer} has ended.", fix="Open another."
                ) from error

    async def events(self) -> AsyncIterator[asr_pb2.ListenEvent]:
        """What is heard, until `close`.

        Raises:
            ServiceUnavailable: The ears are gone.
            ParleyError: They refused a request, for this reason.
        """
        with translated(self._peer):
            async for event in self._call:
                yield event

    async def close(self) -> None:
        """Ends the stream."""
        self._call.cancel()
