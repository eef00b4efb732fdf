"""Parley: talk, face to face and in real time, to a digital avatar."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parley.avatar import Answer as Answer
    from parley.avatar import Avatar as Avatar
    from parley.avatar import Frame as Frame


def __getattr__(name: str) -> Any:
    """`from parley import Avatar`, without making everybody who imports `parley` pay for it."""
    if name in ("Answer", "Avatar", "Frame"):
        from parley import avatar

        return getattr(avatar, name)
    raise AttributeError(f"module 'parley' has no attribute {name!r}")
