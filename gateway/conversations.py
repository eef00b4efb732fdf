"""Real conversations: over Redis to the services, with the ears on gRPC."""

from gateway.config import GatewaySettings
from parley.avatars import Avatar
from parley.chain.redis import RedisChain
from parley.conversation.interface import Conversation, ConversationConfig
from parley.conversation.session import Session
from parley.rpc.ears import GrpcEars


class Conversations:
    """Makes them; all share one chain and one channel to the ears."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._chain = RedisChain(settings.redis_url)
        self._ears = GrpcEars(settings.asr_url, api_key=min(settings.keys(), default=""))

    async def make(self, avatar: Avatar, session: str, config: ConversationConfig) -> Conversation:
        """A conversation that is not started yet.

        Raises:
            ChainUnavailable: Redis does not answer.
        """
        await self._chain.start()
        return Session(avatar=avatar, chain=self._chain, ears=self._ears, config=config, session=session)

    async def close(self) -> None:
        """Disconnects."""
        await self._ears.close()
        await self._chain.close()
