"""Typed errors: each names its cause and the fix, and carries a code that machines can read."""


class ParleyError(Exception):
    """Base of every error that Parley raises on purpose.

    Attributes:
        code: Machine-readable, snake_case; the `code` of `error` events and HTTP bodies.
        message: What went wrong, in words.
        fix: What the reader can do about it; empty if there is nothing to do.
    """

    code = "internal_error"

    def __init__(self, message: str, *, fix: str = "", code: str | None = None) -> None:
        super().__init__(f"{message} Fix: {fix}" if fix else message)
        self.message = message
        self.fix = fix
        if code is not None:
            self.code = code


class ConfigError(ParleyError):
    """A setting, manifest or config file is wrong."""

    code = "config_error"


class EngineUnavailable(ParleyError):
    """The engine that was asked for cannot run here (weights or packages missing)."""

    code = "engine_unavailable"


class UnknownAvatar(ParleyError):
    """No avatar of that name is installed."""

    code = "unknown_avatar"


class BadRequest(ParleyError):
    """The caller's input is malformed or out of range."""

    code = "invalid_request"


class MediaError(ParleyError):
    """Audio or video that cannot be read, or is not what it says it is."""

    code = "media_error"


class ChainUnavailable(ParleyError):
    """The chain's carrier (Redis) does not answer."""

    code = "chain_unavailable"


class ServiceUnavailable(ParleyError):
    """A model service does not answer, or is too busy to."""

    code = "service_unavailable"


class StaleGeneration(ParleyError):
    """The generation was flushed: stop working for it. Not a failure."""

    code = "stale_generation"


class LostClaim(ParleyError):
    """Another worker has taken this item over: stop working on it. Not a failure."""

    code = "lost_claim"
