"""The OpenTelemetry side of `tracing`: imported only where traces are wanted."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace as api
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from proto.parley.v1 import chain_pb2 as pb

SEND_EVERY_MS = 1000


class Exporter:
    """Makes spans and sends them in batches, from a thread of the library's."""

    def __init__(self, service: str) -> None:
        """See `tracing.exporting`; the address is the environment's."""
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": f"parley-{service}"}), id_generator=self._ids
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=SEND_EVERY_MS)
        )
        self._tracer = self._provider.get_tracer("parley")

    def close(self) -> None:
        """Sends what is left."""
        self._provider.shutdown()

    @contextmanager
    def stage(self, name: str, trace: pb.Trace, more: Mapping[str, str | int | bool]) -> Iterator[None]:
        """See `tracing.stage`."""
        trace_id, root_id = identity(trace.turn)
        sampled = TraceFlags(TraceFlags.SAMPLED)
        root = NonRecordingSpan(SpanContext(trace_id, root_id, is_remote=True, trace_flags=sampled))
        about: dict[str, str | int | bool] = {"session": trace.session, "generation": trace.generation}
        inside = api.set_span_in_context(root)
        with self._tracer.start_as_current_span(name, inside, attributes={**about, **more}):
            yield

    def event(self, name: str) -> None:
        """See `tracing.event`."""
        api.get_current_span().add_event(name)

    def turn(self, trace: pb.Trace, marks_ms: Mapping[str, float], ago_s: float, status: str) -> None:
        """See `tracing.turn`."""
        now = time.time_ns()
        began = now - round(ago_s * 1e9)
        about = {"session": trace.session, "generation": str(trace.generation), "turn": trace.turn}
        with self._ids.of(trace.turn):
            root = self._tracer.start_span("turn", attributes={**about, "status": status}, start_time=began)
        inside = api.set_span_in_context(root)
        for name, ms in marks_ms.items():
            hop = self._tracer.start_span(f"until {name}", inside, start_time=began)
            hop.end(began + round(ms * 1e6))
        root.end(now)


def identity(turn: str) -> tuple[int, int]:
    """Trace id and root span id of a turn, 128 and 64 bit, never 0."""
    digest = hashlib.sha256(turn.encode()).digest()
    return int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1


class _Ids(RandomIdGenerator):
    """Random ids, except those of a turn's root."""

    def __init__(self) -> None:
        self._fixed: tuple[int, int] | None = None

    @contextmanager
    def of(self, turn: str) -> Iterator[None]:
        """Inside the block, one root span is made, with the turn's ids."""
        self._fixed = identity(turn)
        try:
            yield
        finally:
            self._fixed = None

    def generate_trace_id(self) -> int:
        return self._fixed[0] if self._fixed else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self._fixed[1] if self._fixed else super().generate_span_id()
