"""Traces of a turn through all processes, over OTLP, where OTEL_EXPORTER_OTLP_ENDPOINT says where to.

Whoever knows a turn's name knows its trace: the ids are its hash. So nothing has to be handed on from process
to process, and a worker that takes a dead one's item over continues the same trace.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from proto.parley.v1 import chain_pb2 as pb

if TYPE_CHECKING:
    from parley.telemetry.otlp import Exporter

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"

_exporter: "Exporter | None" = None


@contextmanager
def exporting(service: str) -> Iterator[None]:
    """Exports what happens inside the block, if there is where to.

    Args:
        service: "gateway", "llm", …: the resource's `service.name` is "parley-" and this.
    """
    global _exporter
    if not os.environ.get(ENDPOINT):
        yield
        return
    from parley.telemetry.otlp import Exporter

    _exporter = Exporter(service)
    try:
        yield
    finally:
        _exporter.close()
        _exporter = None


@contextmanager
def stage(name: str, trace: pb.Trace, **attributes: str | int | bool) -> Iterator[None]:
    """A span of what one stage does for a turn.

    Args:
        name: The span's.
        trace: Whose turn.
        **attributes: More about it.
    """
    if _exporter is None:
        yield
        return
    with _exporter.stage(name, trace, attributes):
        yield


def event(name: str) -> None:
    """Something happened within the current stage."""
    if _exporter is not None:
        _exporter.event(name)


def turn(trace: pb.Trace, *, marks_ms: Mapping[str, float], ago_s: float, status: str) -> None:
    """The root span of a turn that is over, and in it one for each of its hops.

    Args:
        trace: The turn.
        marks_ms: When its hops were reached, from the last sample of the person's speech.
        ago_s: How long ago that sample was spoken.
        status: How the reply ended.
    """
    if _exporter is not None:
        _exporter.turn(trace, marks_ms, ago_s, status)
