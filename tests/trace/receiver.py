"""A collector for tests: takes OTLP over HTTP and keeps the spans."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class Span:
    """One span.

    Attributes:
        service: Who made it.
        trace: Id of its trace.
        parent: Id of the span that it is part of; empty: none.
        start_ns: Unix time.
        end_ns: Unix time.
        events: (unix time in ns, name).
    """

    service: str
    name: str
    trace: bytes
    id: bytes
    parent: bytes
    start_ns: int
    end_ns: int
    attributes: dict[str, str]
    events: tuple[tuple[int, str], ...]


class Receiver:
    """Listens on a free port while it is entered.

    Attributes:
        spans: All that came, in order of arrival.
    """

    def __init__(self) -> None:
        spans: list[Span] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self.spans = spans
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver")
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _spans(request: ExportTraceServiceRequest) -> list[Span]:
    found = []
    for batch in request.resource_spans:
        about = {a.key: a.value.string_value for a in batch.resource.attributes}
        for scope in batch.scope_spans:
            for span in scope.spans:
                found.append(
                    Span(
                        service=about.get("service.name", ""),
                        name=span.name,
                        trace=span.trace_id,
                        id=span.span_id,
                        parent=span.parent_span_id,
                        start_ns=span.start_time_unix_nano,
                        end_ns=span.end_time_unix_nano,
                        attributes={a.key: a.value.string_value for a in span.attributes},
                        events=tuple((e.time_unix_nano, e.name) for e in span.events),
                    )
                )
    return found
