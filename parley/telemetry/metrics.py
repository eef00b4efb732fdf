"""Prometheus metrics that all processes share, and the port that shows them."""

from prometheus_client import Counter, Histogram, start_http_server

from parley.errors import ConfigError

_HOPS = Histogram(
    "parley_hop_seconds",
    "Time that one hop of a turn took, from the earlier stage's output to the later's.",
    ["hop"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0),
)
_STALE = Counter(
    "parley_generation_drops_total",
    "Pieces and items dropped because their generation was flushed.",
    ["where"],
)
_TAKEN_OVER = Counter("parley_taken_over_total", "Items taken over from a worker that died.", ["stage"])
_FAILED = Counter("parley_failed_items_total", "Items that ended with an error piece.", ["stage", "code"])


def observe_hop(hop: str, seconds: float) -> None:
    """Records one hop, for example "chain_audio" or "llm_first_clause"."""
    _HOPS.labels(hop).observe(seconds)


def count_generation_drop(where: str) -> None:
    """Records something dropped because its generation was flushed; `where` is a stage or "gateway"."""
    _STALE.labels(where).inc()


def count_taken_over(stage: str) -> None:
    """Records an item that was taken over from a worker that died."""
    _TAKEN_OVER.labels(stage).inc()


def count_failed(stage: str, code: str) -> None:
    """Records an item that ended with an error piece."""
    _FAILED.labels(stage, code).inc()


class MetricsServer:
    """`/metrics` on a port of its own, in a thread; the gateway serves its own route instead."""

    def __init__(self, host: str, port: int) -> None:
        """Starts serving.

        Args:
            host: Address to bind.
            port: Port to bind; 0 takes a free one (see `port`).

        Raises:
            ConfigError: The port is in use or not allowed.
        """
        try:
            self._server, self._thread = start_http_server(port, addr=host)
        except OSError as error:
            raise ConfigError(
                f"Metrics cannot be served on {host}:{port}: {error.strerror}.",
                fix="Stop what uses the port, or set another metrics port.",
            ) from error
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stops serving and frees the port; takes up to half a second."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)
