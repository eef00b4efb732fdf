"""What one gateway leaves in a real Redis for the next one."""

import asyncio

import redis.asyncio

from gateway.realtime.items import Item, Items
from gateway.realtime.session_config import Face, SessionState, SessionUpdate
from gateway.realtime.vault import Parked, RedisVault


def conversation(session: str) -> Parked:
    items = Items()
    items.append(Item("item_1", "user", spoken=True, text="how far is the moon"))
    items.append(
        Item("item_2", "assistant", spoken=True, text="Far.", status="incomplete", audio_samples=960)
    )
    update = {"audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}}}
    state = SessionState(face=Face(video="vp8"), instructions="Be brief.")
    return Parked(session, "mira", state.merged(SessionUpdate.model_validate(update)), items, visits=2)


async def test_a_conversation_comes_out_as_it_went_in_and_once(redis_url: str) -> None:
    vault, another = RedisVault(redis_url, keep_s=60), RedisVault(redis_url, keep_s=60)
    left = conversation("sess_vault_1")
    await vault.put(left)
    assert await another.take(left.session, "theo") is None
    taken = await another.take(left.session, "mira")
    assert taken is not None
    assert (taken.state, taken.visits, list(taken.items)) == (left.state, 2, list(left.items))
    assert await another.take(left.session, "mira") is None
    await vault.close()
    await another.close()


async def test_one_that_was_announced_is_waited_for(redis_url: str) -> None:
    vault = RedisVault(redis_url, keep_s=60)
    left = conversation("sess_vault_2")
    await vault.announce(left.session)
    taking = asyncio.create_task(vault.take(left.session, "mira"))
    await asyncio.sleep(0.3)
    assert not taking.done()
    await vault.put(left)
    taken = await taking
    assert taken is not None
    assert taken.visits == 2
    await vault.close()


async def test_it_expires(redis_url: str) -> None:
    vault, store = RedisVault(redis_url, keep_s=60), redis.asyncio.from_url(redis_url)
    await vault.put(conversation("sess_vault_3"))
    assert 0 < await store.ttl("parked:sess_vault_3") <= 60
    await store.delete("parked:sess_vault_3")
    await store.aclose()
    await vault.close()


async def test_without_redis_nothing_is_resumed_and_nothing_breaks() -> None:
    vault = RedisVault("redis://127.0.0.1:1/0", keep_s=60)
    await vault.announce("sess_vault_4")
    await vault.put(conversation("sess_vault_4"))
    assert await vault.take("sess_vault_4", "mira") is None
    await vault.close()
