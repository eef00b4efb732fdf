"""Serves the studio on this machine."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from parley.errors import ConfigError
from parley.settings import check_bind, is_loopback


def serve(app: FastAPI, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serves until SIGTERM or Ctrl-C.

    Args:
        app: from `training.studio.app.create_app`.
        host: a loopback address.
        port: 0 for any free one.
        ready: called with the page's address once the port is bound.

    Raises:
        ConfigError: the address is not this machine's own, or the port is taken.
    """
    with contextlib.closing(listen(host, port)) as listener:
        bound = listener.getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        ready(f"http://{name}:{bound}/studio/review")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=5
        )
        uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Binds the port.

    Raises:
        ConfigError: as `serve`.
    """
    if not is_loopback(host):
        raise ConfigError(
            f"The review page has no keys, so it is not served on {host}.",
            fix="Leave --host at 127.0.0.1; reviewers elsewhere come through `ssh -L 8090:127.0.0.1:8090`.",
        )
    check_bind(host, "")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"The studio cannot listen on {host}:{port}: {error.strerror}.", fix="Choose another --port."
        ) from error
    return listener
