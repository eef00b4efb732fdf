"""A rolling summary of what a talk has outgrown: its oldest exchanges, folded into a few sentences.

A summary belongs to the exact words that it was made of: it is filed under a hash of all messages up to its
end. So no conversation finds another's, a message that the person deletes takes the summary with it, and any
replica that lacks one makes it again.
"""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from parley.errors import ServiceUnavailable
from services.llm.engines.completions import Chat, estimate_tokens, words_of

log = logging.getLogger(__name__)

KEPT = 256
KEPT_S = 3600.0
MAKING_S = 60.0
SUMMARY_TOKENS = 200

RULES = (
    "You keep the notes of a spoken conversation. Write down in at most six short plain sentences what was "
    "said that matters for going on: what the person told and wants, what was answered, what is still open. "
    "Call the speakers the person and the avatar. Add nothing that was not said."
)

Ask = Callable[[Chat], Coroutine[Any, Any, str]]


@dataclass(frozen=True, slots=True)
class Past:
    """What was said before the messages that are shown word for word.

    Attributes:
        summary: Of the first `covered` messages; empty: there is none.
        covered: How many messages it stands for.
    """

    summary: str = ""
    covered: int = 0


class Summaries:
    """Makes summaries beside the talk, one at a time, and finds them again."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._known: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._making: dict[str, asyncio.Task[None]] = {}
        self._one_at_a_time = asyncio.Semaphore(1)

    def past(self, messages: Chat) -> Past:
        """The summary that covers the most of `messages`; the last one is never covered."""
        self._forget_old()
        digests = _digests(messages[:-1])
        for covered in range(len(digests), 0, -1):
            if known := self._known.get(digests[covered - 1]):
                return Past(known[1], covered)
        return Past()

    def fold(self, messages: Chat, *, budget_tokens: int, ask: Ask) -> None:
        """Has what is too long summarised for the next turn; returns at once.

        Args:
            messages: The whole talk, oldest first.
            budget_tokens: More than that, by estimate, beyond the summary is too long; about half of it is
                left word for word.
            ask: Asks the model.
        """
        past = self.past(messages)
        recent = messages[past.covered :]
        if estimate_tokens(recent) <= budget_tokens:
            return
        end = past.covered + _cut(recent, budget_tokens // 2)
        digest = _digests(messages[:end])[-1] if end > past.covered else ""
        if not digest or digest in self._making:
            return
        task = asyncio.create_task(self._make(digest, past.summary, messages[past.covered : end], ask))
        self._making[digest] = task
        task.add_done_callback(lambda _: self._making.pop(digest, None))

    async def close(self) -> None:
        """Stops making summaries."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, digest: str, before: str, messages: Chat, ask: Ask) -> None:
        names = {"user": "Person", "assistant": "Avatar", "tool": "Looked up"}
        lines = [f"Before that: {before}"] if before else []
        lines += [f"{names.get(m['role'], 'Note')}: {words_of(m)}" for m in messages]
        chat = [{"role": "system", "content": RULES}, {"role": "user", "content": "\n".join(lines)}]
        try:
            async with self._one_at_a_time, asyncio.timeout(MAKING_S):
                summary = (await ask(chat)).strip()
        except (ServiceUnavailable, TimeoutError) as error:
            log.warning("no summary was made: the oldest words are left out", extra={"reason": str(error)})
            return
        if summary:
            self._known[digest] = self._now(), summary
            while len(self._known) > KEPT:
                self._known.popitem(last=False)

    def _forget_old(self) -> None:
        while self._known and next(iter(self._known.values()))[0] < self._now() - KEPT_S:
            self._known.popitem(last=False)


def _cut(messages: Chat, keep_tokens: int) -> int:
    """How many messages to fold so that the rest is short enough and begins with the person's words."""
    at = len(messages) - 1
    while at > 0 and estimate_tokens(messages[at - 1 :]) <= keep_tokens:
        at -= 1
    while at < len(messages) - 1 and messages[at]["role"] != "user":
        at += 1
    return at


def _digests(messages: Sequence[dict[str, Any]]) -> list[str]:
    """Of each message, the hash of all words up to and with it."""
    found: list[str] = []
    digest = hashlib.sha256()
    for message in messages:
        for part in (message["role"], words_of(message)):
            digest.update(len(part).to_bytes(4, "big") + part.encode())
        found.append(digest.hexdigest())
    return found
