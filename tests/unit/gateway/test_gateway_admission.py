"""Who gets in: keys, client secrets, origins, places; and how the server ends."""

import asyncio
import gc
import json
import time
from typing import Any

import httpx
import orjson
import pytest
from openai.types.realtime import ClientSecretCreateResponse
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.auth import Authorizer
from gateway.config import GatewaySettings
from gateway.errors import Refused
from parley.conversation.events import Activity, ActivityChanged, Problem, ReplyAudio
from parley.errors import ChainUnavailable, ConfigError
from tests.unit.gateway.conftest import Client, Running, connected
from tests.unit.gateway.fakes import DictVault

KEY = "a-long-secret"


async def refusal(gateway: Running, query: str = "model=mira", **options: Any) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as refused:
        async with gateway.connect(query, **options):
            pass
    body = orjson.loads(refused.value.response.body or b"{}")
    assert body["error"]["message"]
    return refused.value.response.status_code, body["error"]["code"]


async def test_unknown_avatars_are_404(gateway: Running) -> None:
    assert await refusal(gateway, "model=nobody") == (404, "unknown_avatar")
    assert await refusal(gateway, "model=../etc") == (404, "unknown_avatar")
    assert await refusal(gateway, "") == (400, "missing_required_parameter")
    assert not gateway.conversations


async def test_a_full_server_refuses_and_says_so_to_browsers_too(launch: Any) -> None:
    gateway = await launch(max_sessions=1)
    async with connected(gateway), httpx.AsyncClient(base_url=gateway.url) as http:
        assert await refusal(gateway) == (503, "server_full")
        explained = await http.get("/v1/realtime?model=mira")
        assert (explained.status_code, explained.json()["error"]["code"]) == (503, "server_full")
    async with asyncio.timeout(5):
        while not gateway.conversation.closed:
            await asyncio.sleep(0.01)
    async with connected(gateway), httpx.AsyncClient(base_url=gateway.url) as http:
        pass
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        async with asyncio.timeout(5):
            while (answer := await http.get("/v1/realtime?model=mira")).status_code == 503:
                await asyncio.sleep(0.01)
        assert answer.status_code == 426


async def test_a_dead_chain_refuses(gateway: Running) -> None:
    gateway.fail_start = ChainUnavailable("Redis does not answer.", fix="Start it.")
    assert await refusal(gateway) == (503, "chain_unavailable")
    assert gateway.conversation.closed
    gateway.fail_start = None
    async with connected(gateway):
        pass


async def test_keys(launch: Any) -> None:
    gateway = await launch(api_keys=f"other, {KEY}")
    assert await refusal(gateway) == (401, "missing_api_key")
    wrong = {"Authorization": "Bearer wröng".encode().decode("latin-1")}
    assert await refusal(gateway, additional_headers=wrong) == (401, "invalid_api_key")
    async with connected(gateway, additional_headers={"Authorization": f"Bearer {KEY}"}):
        pass
    offered = ["realtime", f"openai-insecure-api-key.{KEY}"]
    async with gateway.connect(subprotocols=offered) as socket:
        assert socket.subprotocol == "realtime"
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        for path in ("/v1/models", "/v1/avatars", "/metrics", "/v1/realtime?model=mira"):
            assert (await http.get(path)).status_code == 401
        for path in ("/v1/chat/completions", "/v1/audio/speech", "/v1/realtime/client_secrets"):
            assert (await http.post(path, json={})).status_code == 401
        assert (await http.get("/healthz")).status_code == 200


async def test_client_secrets(launch: Any) -> None:
    gateway = await launch(api_keys=KEY)
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        plain = await http.post("/v1/realtime/client_secrets", headers={"Authorization": f"Bearer {KEY}"})
        assert plain.json()["session"]["model"] == "mira"
        assert plain.json()["expires_at"] > time.time() + 300
        made = await http.post(
            "/v1/realtime/client_secrets",
            headers={"Authorization": f"Bearer {KEY}"},
            json={
                "expires_after": {"anchor": "created_at", "seconds": 60},
                "session": {"type": "realtime", "model": "ben", "instructions": "Rhyme."},
            },
        )
        secret = ClientSecretCreateResponse.model_validate(made.json())
        assert secret.value.startswith("ek_")
        bearer = {"Authorization": f"Bearer {secret.value}"}
        assert (await http.get("/v1/avatars", headers=bearer)).status_code == 200
        chat = await http.post("/v1/chat/completions", headers=bearer, json={})
        assert chat.json()["error"]["code"] == "client_secret"
    offered = ["realtime", f"openai-insecure-api-key.{secret.value}"]
    async with gateway.connect("", subprotocols=offered) as socket:
        client = Client(socket)
        created = await client.until("session.created")
        assert created["session"]["model"] == "ben"
        assert created["session"]["instructions"] == "Rhyme."
    assert gateway.conversation.config.instructions == "Rhyme."
    for bad in (secret.value[:-2] + "xx", "ek_", "ek_ä.b", secret.value.replace(".", "A.")):
        header = {"Authorization": f"Bearer {bad}".encode().decode("latin-1")}
        assert await refusal(gateway, additional_headers=header) == (401, "invalid_client_secret")


@pytest.mark.parametrize("unfit", [2**64, "\ud800"])
async def test_a_client_secret_with_a_schema_that_cannot_be_passed_on_is_refused(
    launch: Any, unfit: Any
) -> None:
    """Fuzzing found a server error: HTTP's JSON takes integers of any size."""
    gateway = await launch(api_keys=KEY)
    tool = {"type": "function", "name": "f", "parameters": {"type": "object", "default": unfit}}
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        answer = await http.post(
            "/v1/realtime/client_secrets",
            headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
            content=json.dumps({"session": {"type": "realtime", "model": "mira", "tools": [tool]}}),
        )
    assert answer.status_code == 400
    assert "parameters" in answer.json()["error"]["param"]


def test_client_secrets_expire_and_are_shared_by_replicas() -> None:
    clock = [1000.0]
    one = Authorizer(GatewaySettings(api_keys="k"), now=lambda: clock[0])
    other = Authorizer(GatewaySettings(api_keys="k"), now=lambda: clock[0])
    value, expires_at = one.issue({"model": "mira"}, seconds=60)
    assert expires_at == 1060
    assert other.check_key(fake_connection(value)).session == {"model": "mira"}
    clock[0] = 1060.0
    with pytest.raises(Refused, match="expired"):
        other.check_key(fake_connection(value))
    with pytest.raises(Refused, match="session"):
        one.issue({"instructions": "x" * 4000}, seconds=60)


def fake_connection(token: str, **headers: str) -> Any:
    from starlette.requests import HTTPConnection

    sent = {"authorization": f"Bearer {token}", **headers}
    raw = [(k.encode(), v.encode()) for k, v in sent.items()]
    return HTTPConnection({"type": "http", "headers": raw})


async def test_pages_of_other_sites(launch: Any) -> None:
    gateway = await launch(origins="https://friend.example/")
    assert await refusal(gateway, additional_headers={"Origin": "https://evil.example"}) == (
        403,
        "forbidden_origin",
    )
    async with connected(gateway, additional_headers={"Origin": gateway.url}):
        pass
    async with connected(gateway, additional_headers={"Origin": "https://friend.example"}):
        pass
    async with httpx.AsyncClient(base_url=gateway.url) as http:
        rebound = await http.get("/v1/models", headers={"Host": f"evil.example:{gateway.port}"})
        assert rebound.json()["error"]["code"] == "forbidden_host"
        friendly = await http.get("/v1/models", headers={"Origin": "https://friend.example"})
        assert friendly.headers["access-control-allow-origin"] == "https://friend.example"


async def test_other_addresses_need_keys(launch: Any) -> None:
    with pytest.raises(ConfigError, match="PARLEY_API_KEYS"):
        await launch(host="0.0.0.0")


async def test_shutting_down_says_so(launch: Any) -> None:
    gateway = await launch()
    async with connected(gateway) as client:
        gateway.server.should_exit = True
        with pytest.raises(ConnectionClosed) as closed:
            await client.until("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    assert gateway.conversation.closed


async def test_shutting_down_waits_for_the_end_of_what_is_said(launch: Any) -> None:
    gateway = await launch()
    async with connected(gateway) as client:
        gateway.conversation.tell(ActivityChanged(Activity.SPEAKING))
        gateway.conversation.tell(Problem("said_after", "what comes after the change is seen after it"))
        await client.until("error")
        gateway.server.should_exit = True
        async with asyncio.timeout(5):
            while not gateway.registry.draining:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert gateway.registry.busy == 1
        gateway.conversation.tell(ActivityChanged(Activity.LISTENING))
        with pytest.raises(ConnectionClosed):
            await client.until("never")


async def test_another_gateway_goes_on_with_the_conversation(launch: Any) -> None:
    vault = DictVault()
    first = await launch(vault=vault)
    async with connected(first) as client:
        session = client.events[0]["session"]["id"]
        update = {"type": "realtime", "instructions": "Be brief."}
        await client.ask({"type": "session.update", "session": update}, "session.updated")
        content = [{"type": "input_text", "text": "I am Ada."}]
        item = {"type": "message", "role": "user", "content": content}
        await client.ask({"type": "conversation.item.create", "item": item}, "conversation.item.done")
        first.server.should_exit = True
        with pytest.raises(ConnectionClosed):
            await client.until("never")
    await first.task
    assert vault.announced == [session]
    second = await launch(vault=vault)
    async with connected(second, f"model=mira&session={session}") as client:
        resumed = client.events[0]["session"]
        assert (resumed["id"], resumed["instructions"]) == (session, "Be brief.")
        shown = await client.until("conversation.item.done")
        assert shown["item"]["content"] == content
    assert not vault.parked


async def test_two_hundred_visits_leave_nothing(launch: Any) -> None:
    gateway = await launch(resume_s=0.0)

    async def visit() -> None:
        async with connected(gateway) as client:
            await client.ask({"type": "response.create"}, "response.done")

    async def settled() -> None:
        async with asyncio.timeout(5):
            while gateway.registry.busy or len(asyncio.all_tasks()) > tasks:
                await asyncio.sleep(0.01)
        gateway.conversations.clear()

    tasks = len(asyncio.all_tasks())
    for _ in range(20):
        await visit()
    await settled()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(200):
        await visit()
    await settled()
    gc.collect()
    assert len(gc.get_objects()) - before < 500


async def test_a_client_that_stops_reading_is_cut_and_forgotten(launch: Any) -> None:
    gateway = await launch(slow_client_s=0.05, resume_s=0.0)
    async with connected(gateway) as client:
        client.socket.transport.pause_reading()
        conversation = gateway.conversation
        generation = conversation.reply(finish=False)
        async with asyncio.timeout(20):
            number = 2
            while not conversation.closed:
                conversation.tell(ReplyAudio(generation, number, number * 960, bytes(1 << 18), False))
                number += 1
                await asyncio.sleep(0.005)
        while gateway.registry.busy:
            await asyncio.sleep(0.01)
        client.socket.transport.abort()


async def test_a_page_that_vanishes_leaves_nothing(gateway: Running) -> None:
    async with connected(gateway) as client:
        client.socket.transport.abort()
        async with asyncio.timeout(5):
            while gateway.registry.busy or not gateway.conversation.closed:
                await asyncio.sleep(0.01)
