"""The chain in memory keeps the contract."""

from collections.abc import AsyncIterator

import pytest

from parley.chain.interface import Chain
from parley.chain.memory import MemoryChain
from tests.chain_contract import ChainContract


class TestMemoryChain(ChainContract):
    @pytest.fixture
    async def chain(self) -> AsyncIterator[Chain]:
        chain = MemoryChain()
        await chain.start()
        yield chain
        await chain.close()
