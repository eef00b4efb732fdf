"""Limits that both ends of every gRPC connection agree on."""

from typing import Final

MAX_MESSAGE_BYTES: Final = 4 << 20
MAX_CONCURRENT_STREAMS: Final = 256
KEEPALIVE_MS: Final = 20_000

_BOTH = [
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", 5_000),
]

CHANNEL_OPTIONS: Final = [
    *_BOTH,
    # A service that restarts must be found again in about a second, not after the default's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Channels of one process to one address must not share a connection: tests restart servers on the same
    # port.
    ("grpc.use_local_subchannel_pool", 1),
]

SERVER_OPTIONS: Final = [
    *_BOTH,
    ("grpc.max_concurrent_streams", MAX_CONCURRENT_STREAMS),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", KEEPALIVE_MS // 2),
    ("grpc.so_reuseport", 0),  # a second server on the same port must fail, not share it silently
]
