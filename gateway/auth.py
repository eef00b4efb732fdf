"""Who may use the server: API keys, short-lived client secrets, and the pages of which sites."""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import HTTPConnection

from gateway.config import GatewaySettings
from gateway.errors import Refused

SUBPROTOCOL = "realtime"
KEY_SUBPROTOCOL = "openai-insecure-api-key."
PREFIX = "ek_"
MAX_SESSION_BYTES = 3000
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Grant:
    """What a caller may do.

    Attributes:
        realtime_only: A client secret: opens conversations and looks at avatars, nothing else.
        session: The session configuration that the client secret carries.
    """

    realtime_only: bool = False
    session: dict[str, Any] = field(default_factory=dict)


class Authorizer:
    """Decides about every request. Without keys the server is open, but only under this machine's names."""

    def __init__(self, settings: GatewaySettings, *, now: Callable[[], float] = time.time) -> None:
        self._keys = sorted(settings.keys())
        self._origins = settings.allowed_origins()
        self._now = now
        # Derived from the keys, so that replicas accept each other's secrets; without them none needs last.
        seed = "\0".join(self._keys).encode() if self._keys else secrets.token_bytes(32)
        self._signing_key = hashlib.sha256(b"parley client secret\0" + seed).digest()

    @property
    def open(self) -> bool:
        """No keys are configured: everyone on this machine may use the server."""
        return not self._keys

    def check(self, connection: HTTPConnection) -> Grant:
        """Admits or refuses a request or websocket by its host, origin and key.

        Raises:
            Refused: 403 (a page of another site, or a foreign host name) or 401 (no key, or a wrong one).
        """
        self.check_site(connection)
        return self.check_key(connection)

    def check_site(self, connection: HTTPConnection) -> None:
        """Refuses pages of other sites (cross-site websockets, forged requests, rebound host names).

        Raises:
            Refused: 403.
        """
        host = connection.headers.get("host", "").lower()
        origin = connection.headers.get("origin")
        if origin is not None:
            origin = origin.rstrip("/").lower()
            if origin.partition("://")[2] != host and origin not in self._origins:
                raise Refused(
                    403,
                    "forbidden_origin",
                    f"Pages of {origin} may not use this server.",
                    fix="Add the origin to PARLEY_GATEWAY_ORIGINS.",
                )
        if self.open and _without_port(host) not in _LOCAL_NAMES and origin not in self._origins:
            # A page can point a name of its own at 127.0.0.1 and would then be of the "same origin".
            raise Refused(
                403,
                "forbidden_host",
                f"This server has no keys and answers only as localhost, not as {host!r}.",
                fix="Use http://127.0.0.1, or set PARLEY_API_KEYS.",
            )

    def check_key(self, connection: HTTPConnection) -> Grant:
        """Finds the caller's key or client secret and checks it.

        Raises:
            Refused: 401.
        """
        token = _token(connection)
        if token.startswith(PREFIX):
            return Grant(realtime_only=True, session=self._verify(token))
        if self.open:
            return Grant()
        if not token:
            raise Refused(
                401, "missing_api_key", "An API key is needed.", fix="Send Authorization: Bearer KEY."
            )
        # Every key is compared, so that time tells nothing about which one came near.
        if not any([hmac.compare_digest(token.encode(), key.encode()) for key in self._keys]):
            raise Refused(401, "invalid_api_key", "The API key is not valid.")
        return Grant()

    def issue(self, session: dict[str, Any], *, seconds: int) -> tuple[str, int]:
        """Makes a client secret.

        Args:
            session: Session configuration that every conversation opened with it starts with.
            seconds: How long it can be used to connect.

        Returns:
            The secret and the time (unix seconds) when it expires.

        Raises:
            Refused: 400 when the configuration is too long to travel in a header.
        """
        expires_at = int(self._now()) + seconds
        payload = orjson.dumps({"exp": expires_at, "nonce": secrets.token_hex(8), "session": session})
        if len(payload) > MAX_SESSION_BYTES:
            raise Refused(
                400,
                "session_too_large",
                f"A client secret carries at most {MAX_SESSION_BYTES} bytes of session.",
                fix="Send long instructions with session.update.",
            )
        text = _encode(payload)
        return f"{PREFIX}{text}.{_encode(self._sign(text))}", expires_at

    def _verify(self, token: str) -> dict[str, Any]:
        text, _, signature = token.removeprefix(PREFIX).partition(".")
        if not hmac.compare_digest(_encode(self._sign(text)).encode(), signature.encode()):
            raise Refused(401, "invalid_client_secret", "The client secret is not valid.")
        payload = orjson.loads(_decode(text))
        if payload["exp"] <= self._now():
            raise Refused(
                401, "expired_client_secret", "The client secret has expired.", fix="Ask for a new one."
            )
        session: dict[str, Any] = payload["session"]
        return session

    def _sign(self, text: str) -> bytes:
        return hmac.digest(self._signing_key, text.encode(), "sha256")


def subprotocol(connection: HTTPConnection) -> str | None:
    """The subprotocol to answer a websocket with: never the one that carries the key."""
    return SUBPROTOCOL if SUBPROTOCOL in _subprotocols(connection) else None


def _token(connection: HTTPConnection) -> str:
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    offered = _subprotocols(connection)
    return next((p.removeprefix(KEY_SUBPROTOCOL) for p in offered if p.startswith(KEY_SUBPROTOCOL)), "")


def _subprotocols(connection: HTTPConnection) -> Iterable[str]:
    offered: list[str] = connection.scope.get("subprotocols", [])
    return offered


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise Refused(401, "invalid_client_secret", "The client secret is not valid.") from error
