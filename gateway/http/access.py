"""Who may call a route, as FastAPI dependencies."""

from fastapi import Request

from gateway.auth import Authorizer, Grant
from gateway.errors import Refused


class Access:
    """Dependencies around one authorizer."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    async def full(self, request: Request) -> Grant:
        """Needs an API key, if keys are configured.

        Raises:
            Refused: 401 or 403.
        """
        grant = self._authorizer.check(request)
        if grant.realtime_only:
            raise Refused(
                403, "client_secret", "A client secret opens conversations only.", fix="Use an API key."
            )
        return grant

    async def limited(self, request: Request) -> Grant:
        """Needs an API key or a client secret, if keys are configured.

        Raises:
            Refused: 401 or 403.
        """
        return self._authorizer.check(request)
