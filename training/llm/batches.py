# mypy: disable-error-code="no-any-return"
"""Examples as numbers: what is read, what is learnt of it, and each step's batch, the same on any machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parley.errors import ConfigError
from training.llm.examples import Example

IGNORED = -100
_POOL = 512

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Coded:
    """An example in tokens.

    Attributes:
        ids: int64 [tokens].
        own: bool [tokens]: the avatar says it.
    """

    ids: Ids
    own: NDArray[np.bool_]


def coded(example: Example, tokenizer: Any, length: int) -> Coded:
    """An example by the tokenizer's own chat template; its beginning is cut off if it is too long.

    Raises:
        ConfigError: The template writes the beginning of a talk otherwise when the talk goes on.
    """
    messages = [{"role": role, "content": content} for role, content in example.messages]
    ids: list[int] = []
    own: list[bool] = []
    read = ""

    def add(text: str, *, learn: bool) -> None:
        more = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids.extend(more)
        own.extend([learn] * len(more))

    for at, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = tokenizer.apply_chat_template(messages[:at], tokenize=False, add_generation_prompt=True)
        after = tokenizer.apply_chat_template(messages[: at + 1], tokenize=False)
        if not before.startswith(read) or not after.startswith(before):
            raise ConfigError("The model's chat template rewrites what was said; it cannot be learnt from.")
        add(before[len(read) :], learn=False)
        add(after[len(before) :], learn=True)
        read = after
    return Coded(np.array(ids[-length:], np.int64), np.array(own[-length:], np.bool_))


def padded(examples: Sequence[Coded], pad: int) -> tuple[Ids, NDArray[np.float32], Ids]:
    """Ids [examples, longest], 1 where the avatar speaks, and each one's length [examples]."""
    longest = max(len(each.ids) for each in examples)
    ids = np.full((len(examples), longest), pad, np.int64)
    own = np.zeros((len(examples), longest), np.float32)
    for row, each in enumerate(examples):
        ids[row, : len(each.ids)] = each.ids
        own[row, : len(each.own)] = each.own
    return ids, own, np.array([len(each.ids) for each in examples])


class Batches:
    """Which examples a step learns from: of about one length each, every example once an epoch."""

    def __init__(self, lengths: Sequence[int], batch_tokens: int, seed: int) -> None:
        """Args:
        lengths: Of the examples, tokens.
        batch_tokens: Most that a batch takes, padding included; a longer example is one by itself.
        seed: Another seed, another order.
        """
        self._lengths = np.array(lengths)
        self._batch_tokens, self._seed = batch_tokens, seed
        self._epoch = lru_cache(maxsize=2)(self._plan)

    def of(self, step: int) -> list[int]:
        """The examples of a step."""
        epoch = 0
        while step >= len(plan := self._epoch(epoch)):
            step -= len(plan)
            epoch += 1
        return plan[step]

    def _plan(self, epoch: int) -> list[list[int]]:
        random = np.random.default_rng((self._seed, epoch))
        order = random.permutation(len(self._lengths))
        batches = []
        for start in range(0, len(order), _POOL):
            pool = order[start : start + _POOL]
            cut = list(self._cut(pool[np.argsort(self._lengths[pool], kind="stable")]))
            batches += [cut[at] for at in random.permutation(len(cut))]
        return batches

    def _cut(self, pool: NDArray[np.int64]) -> Iterator[list[int]]:
        batch: list[int] = []
        for at in pool.tolist():
            if batch and (len(batch) + 1) * int(self._lengths[at]) > self._batch_tokens:
                yield batch
                batch = []
            batch.append(at)
        yield batch
