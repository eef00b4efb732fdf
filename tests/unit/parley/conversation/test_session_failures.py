"""A whole conversation with what it depends on failing: nobody is left waiting, and it goes on."""

import asyncio

import pytest

from parley.chain.interface import Stage
from parley.conversation import events as tell
from parley.conversation.events import ReplyStatus
from parley.errors import ChainUnavailable
from proto.parley.v1 import chain_pb2 as pb
from tests.unit.parley.conversation.cast import TEXT, play
from tests.virtual import virtual


@pytest.mark.parametrize("stage_name", [Stage.LLM, Stage.TTS])
@virtual
async def test_a_stage_that_fails_fails_the_reply_visibly(stage_name: Stage) -> None:
    async with play() as stage:
        stage.workers.errors[stage_name] = "engine_failed"
        await stage.person.ask()
        done = await stage.front.until(tell.ReplyDone)
        assert (done.status, done.error_code) == (ReplyStatus.FAILED, "engine_failed")
        assert stage.front.all(tell.Problem)[0].code == "engine_failed"
        stage.workers.errors.clear()
        await stage.person.ask("and now please")
        assert (await stage.front.until(tell.ReplyDone, 2)).status is ReplyStatus.COMPLETED


@virtual
async def test_a_dead_mind_is_told_within_two_seconds() -> None:
    async with play() as stage:
        stage.workers.dead.add(Stage.LLM)
        await stage.person.ask()
        started = stage.front.at(tell.ReplyStarted)
        done = await stage.front.until(tell.ReplyDone)
        assert (done.status, done.error_code) == (ReplyStatus.FAILED, "llm_silent")
        assert stage.front.at(tell.ReplyDone) - started <= 2.05
        assert [i.role for i in stage.session.history] == ["user"]
        stage.workers.dead.clear()
        await stage.person.ask("and now please")
        assert (await stage.front.until(tell.ReplyDone, 2)).status is ReplyStatus.COMPLETED


@virtual
async def test_a_mind_without_its_model_apologises_aloud_and_the_reason_is_told() -> None:
    async with play() as stage:
        stage.workers.notice = "The model is away."
        await stage.person.ask()
        done = await stage.front.until(tell.ReplyDone)
        assert (done.status, done.text) == (ReplyStatus.COMPLETED, "".join(stage.workers.clauses))
        assert stage.front.all(tell.Problem) == [tell.Problem("service_unavailable", "The model is away.")]
        assert stage.front.all(tell.ReplyAudio)


@virtual
async def test_a_mind_that_gives_signs_of_life_is_waited_for() -> None:
    async with play() as stage:
        stage.workers.lives_s = 5.0
        await stage.person.ask()
        done = await stage.front.until(tell.ReplyDone)
        assert (done.status, done.text) == (ReplyStatus.COMPLETED, "".join(stage.workers.clauses))
        (latency,) = stage.front.all(tell.TurnLatency)
        assert latency.ms["llm_first_clause"] > 4000


@virtual
async def test_a_mind_that_dies_in_mid_sentence_is_told_when_the_voice_has_caught_up() -> None:
    async with play() as stage:
        stage.workers.think_s = 0.8
        await stage.person.ask()
        await stage.front.until(tell.ReplyText)
        stage.workers.dead.add(Stage.LLM)
        done = await stage.front.until(tell.ReplyDone)
        assert (done.status, done.error_code, done.heard) == (ReplyStatus.FAILED, "llm_silent", "I am Mira.")
        assert stage.front.played == stage.front.sent


@virtual
async def test_a_slow_mind_that_goes_on_is_not_cut() -> None:
    async with play() as stage:
        stage.workers.think_s = 1.9
        await stage.person.ask()
        done = await stage.front.until(tell.ReplyDone)
        assert (done.status, done.text) == (ReplyStatus.COMPLETED, TEXT)


@virtual
async def test_without_a_face_the_voice_goes_on() -> None:
    async with play() as stage:
        stage.workers.dead.add(Stage.SDA)
        await stage.person.ask()
        done = await stage.front.until(tell.ReplyDone)
        assert done.status is ReplyStatus.COMPLETED
        assert stage.front.all(tell.ReplyAudio)[-1].last
        assert stage.front.all(tell.Problem)[0].code == "sda_silent"
        assert stage.front.played == stage.front.sent


@virtual
async def test_a_face_that_fails_is_told_and_the_voice_goes_on() -> None:
    async with play() as stage:
        stage.workers.errors[Stage.SDA] = "face_failed"
        await stage.person.ask()
        done = await stage.front.until(tell.ReplyDone)
        assert done.status is ReplyStatus.COMPLETED
        assert stage.front.all(tell.Problem)[0].code == "face_failed"


@virtual
async def test_a_chain_that_is_lost_fails_the_reply_and_the_next_turn_works() -> None:
    async with play() as stage:
        await stage.person.ask()
        await stage.front.until(tell.ReplyAudio)
        for reader in [r for s in stage.chain._sessions.values() for rs in s.readers.values() for r in rs]:
            reader.fail(ChainUnavailable("Redis is gone."))
        done = await stage.front.until(tell.ReplyDone)
        assert (done.status, done.error_code) == (ReplyStatus.FAILED, "chain_unavailable")
        assert [p.code for p in stage.front.all(tell.Problem)] == ["chain_unavailable"]
        await asyncio.sleep(3)
        await stage.person.ask("and now please")
        assert (await stage.front.until(tell.ReplyDone, 2)).status is ReplyStatus.COMPLETED


@virtual
async def test_a_turn_that_the_chain_refuses_fails_visibly() -> None:
    async with play() as stage:
        submit = stage.chain.submit

        async def refuse(turn: pb.Turn) -> None:
            raise ChainUnavailable("Redis is gone.")

        stage.chain.submit = refuse  # type: ignore[method-assign]
        await stage.person.ask()
        done = await stage.front.until(tell.ReplyDone)
        assert (done.status, done.error_code) == (ReplyStatus.FAILED, "chain_unavailable")
        stage.chain.submit = submit  # type: ignore[method-assign]
        await stage.person.ask("and now please")
        assert (await stage.front.until(tell.ReplyDone, 2)).status is ReplyStatus.COMPLETED


@virtual
async def test_lost_ears_are_told_once_and_opened_again() -> None:
    async with play() as stage:
        await stage.person.speak(600, "what is")
        stage.ears.lose()
        await stage.person.silence(4000)
        assert [p.code for p in stage.front.all(tell.Problem)] == ["service_unavailable"]
        assert len(stage.front.all(tell.UserTurnDropped)) == 1
        stage.ears.gone = False
        stage.ears.said = ""
        await stage.person.silence(4000)
        await stage.person.ask()
        assert (await stage.front.until(tell.ReplyDone)).status is ReplyStatus.COMPLETED
        assert all(stream.closed for stream in stage.ears.streams[:-1])


@virtual
async def test_ears_that_are_restarted_miss_nothing() -> None:
    async with play() as stage:
        await stage.person.ask()
        await stage.front.until(tell.ReplyDone)
        await stage.person.silence(500)
        stage.ears.retire()
        speaking = asyncio.create_task(stage.person.ask("and who are you"))
        await asyncio.sleep(0.8)
        stage.ears.gone = False
        await speaking
        done = await stage.front.until(tell.ReplyDone, 2)
        assert done.status is ReplyStatus.COMPLETED
        assert not stage.front.all(tell.Problem)
        assert len(stage.front.all(tell.UserTranscript)) == 2
        assert len(stage.ears.streams) == 2


@virtual
async def test_ears_that_retire_without_a_successor_are_told_within_two_seconds() -> None:
    async with play() as stage:
        await stage.person.silence(500)
        stage.ears.retire()
        await stage.person.silence(1500)
        assert not stage.front.all(tell.Problem)
        await stage.person.silence(1000)
        assert [p.code for p in stage.front.all(tell.Problem)] == ["service_unavailable"]
