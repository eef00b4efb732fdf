"""What the gateway counts; shown on its own `/metrics`."""

from prometheus_client import Counter, Gauge, Histogram

SESSIONS = Gauge("parley_gateway_sessions", "Conversations that are connected now.")
PARKED = Gauge("parley_gateway_parked_sessions", "Conversations that were left and can still be resumed.")
REFUSED = Counter(
    "parley_gateway_refused_total", "Connections refused before the websocket opened.", ["reason"]
)
CLOSED = Counter("parley_gateway_closed_total", "Websockets that the server closed.", ["reason"])
DROPPED_VIDEO = Counter(
    "parley_gateway_dropped_video_frames_total", "Video frames not sent, since the client was too slow."
)
STALE = Counter(
    "parley_gateway_stale_messages_total", "Queued messages of flushed replies that were never sent."
)
EVENT_ERRORS = Counter("parley_gateway_event_errors_total", "Malformed or refused client events.", ["code"])
TURN_LATENCY = Histogram(
    "parley_turn_latency_seconds",
    "From the true end of the person's speech to each stage of the answer.",
    ["stage"],
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.3, 1.5, 2.0, 3.0, 5.0),
)
