"""Engine `fake`: says what it was told to say. For tests."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence

from parley.engines import TextDelta
from proto.parley.v1 import chain_pb2 as pb
from services.llm.replies import rest_after

_WORD = re.compile(r"\s*\S+")


class FakeEngine:
    """Answers the n-th thing that the person says with the n-th line of a script, round and round."""

    name = "fake"
    model = "script"
    calls_tools = False

    def __init__(self, script: Sequence[str], *, delay_s: float = 0.0) -> None:
        """Args:
        script: Replies; `{heard}` becomes what the person said.
        delay_s: Seconds before each word.
        """
        self._script = list(script)
        self._delay_s = delay_s
        self.words_made = 0

    async def generate(self, turn: pb.Turn, *, spoken: str = "") -> AsyncGenerator[TextDelta, None]:
        """Streams the reply word by word; see `parley.engines.LlmEngine`."""
        turns = sum(message.role == pb.ROLE_USER for message in turn.history)
        line = self._script[(turns - 1) % len(self._script)].replace("{heard}", turn.history[-1].text)
        for word in _WORD.findall(rest_after(line, spoken)):
            await asyncio.sleep(self._delay_s)
            self.words_made += 1
            yield TextDelta(word)
