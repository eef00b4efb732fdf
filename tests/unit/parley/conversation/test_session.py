"""Whole conversations over the in-memory chain, with scripted ears and workers, on virtual time."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from parley.conversation import events as tell
from parley.conversation.events import Activity, ReplyStatus
from parley.conversation.interface import ConversationConfig, TurnDetection
from parley.errors import BadRequest
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ, ms_to_samples
from proto.parley.v1 import chain_pb2 as pb
from tests.unit.parley.conversation.cast import FACE, H264, PLAIN, TEXT, play
from tests.virtual import virtual


@virtual
async def test_a_spoken_turn_is_answered_with_voice_and_face() -> None:
    async with play() as stage:
        await stage.person.ask()
        done = await stage.front.until(tell.ReplyDone)
        await asyncio.sleep(6)
        front = stage.front

    assert front.kinds(
        tell.UserSpeechStarted,
        tell.UserSpeechStopped,
        tell.UserTurnCommitted,
        tell.UserTranscript,
        tell.ReplyStarted,
        tell.ReplyDone,
    ) == [
        "UserSpeechStarted",
        "UserSpeechStopped",
        "UserTurnCommitted",
        "UserTranscript",
        "ReplyStarted",
        "ReplyDone",
    ]
    assert front.all(tell.UserSpeechStarted)[0].at_ms == 0
    assert front.all(tell.UserTranscript)[0].text == "what is your name"
    assert (done.status, done.text, done.heard) == (ReplyStatus.COMPLETED, TEXT, TEXT)
    assert "".join(t.text for t in front.all(tell.ReplyText)) == TEXT
    audio = front.all(tell.ReplyAudio)
    assert [a.seq for a in audio] == list(range(1, len(audio) + 1))
    assert [a.pts_samples for a in audio[1:]] == [a.pts_samples + len(a.pcm) // 2 for a in audio[:-1]]
    assert [a.last for a in audio].index(True) == len(audio) - 1
    video = front.all(tell.ReplyVideo)
    assert [v.pts_samples for v in video] == [i * FRAME_SAMPLES for i in range(len(video))]
    assert sum(len(a.pcm) // 2 for a in audio) == len(video) * FRAME_SAMPLES
    assert video[0].keyframe and video[-1].last
    activities = [a.activity for a in front.all(tell.ActivityChanged)]
    assert activities == [Activity.HEARING, Activity.THINKING, Activity.SPEAKING, Activity.LISTENING]
    assert [(i.role, i.text) for i in stage.session.history] == [
        ("user", "what is your name"),
        ("assistant", TEXT),
    ]


@virtual
async def test_latency_counts_from_the_true_end_of_speech() -> None:
    async with play() as stage:
        await stage.person.ask()
        latency = await stage.front.until(tell.TurnLatency)
    ms = latency.ms
    assert set(ms) == {
        "endpoint",
        "asr_final",
        "llm_first_clause",
        "tts_first_audio",
        "sda_first_frame",
        "first_audio_sent",
        "first_video_sent",
    }
    assert ms["asr_final"] < ms["llm_first_clause"] < ms["tts_first_audio"] < ms["sda_first_frame"]
    assert 400 <= ms["endpoint"] <= 460
    # Speculation: everything was ready when the pause was over.
    assert ms["tts_first_audio"] < ms["endpoint"]
    assert ms["first_audio_sent"] == pytest.approx(ms["endpoint"], abs=5)
    assert ms["first_video_sent"] == pytest.approx(ms["endpoint"], abs=5)


@virtual
async def test_voice_and_face_run_two_seconds_ahead_at_most() -> None:
    async with play() as stage:
        stage.workers.clauses = ["This goes on for quite a while, as long answers do."] * 6
        await stage.person.ask()
        await stage.front.until(tell.ReplyDone)
        assert 1.5 * SAMPLE_RATE_HZ < stage.workers.furthest_ahead <= 2 * SAMPLE_RATE_HZ


@virtual
async def test_a_plain_front_is_taken_to_play_in_real_time() -> None:
    async with play(PLAIN) as stage:
        stage.workers.clauses = ["This goes on for quite a while, as long answers do."] * 3
        await stage.person.ask()
        started = await stage.front.until(tell.ReplyStarted)
        begin = stage.front.at(tell.ReplyAudio)
        await stage.front.until(tell.ReplyDone)
        length_s = sum(len(a.pcm) // 2 for a in stage.front.all(tell.ReplyAudio)) / SAMPLE_RATE_HZ
        assert started.generation == 1
        assert stage.front.at(tell.ReplyDone) - begin == pytest.approx(length_s - 2, abs=0.6)
        assert stage.front.all(tell.ReplyVideo) == []
        while stage.front.all(tell.ActivityChanged)[-1].activity is not Activity.LISTENING:
            await asyncio.sleep(0.01)
        assert stage.front.now() - begin == pytest.approx(length_s, abs=0.1)


@virtual
async def test_an_interruption_silences_the_avatar_and_history_keeps_what_was_heard() -> None:
    async with play() as stage:
        stage.workers.clauses = [*stage.workers.clauses, " I know a little about many things."]
        await stage.person.ask()
        await stage.front.until(tell.ReplyStarted)
        await stage.person.silence(1500)
        onset = stage.front.now()
        await stage.person.speak(1200, "no wait what is a robot")
        await stage.person.silence(700)
        await stage.front.until(tell.ReplyStarted, 2)
        front = stage.front

    sounded = [time for time in front.audible_after if onset < time < front.at(tell.ReplyStarted)]
    assert max(sounded, default=onset) - onset <= 0.15
    truncated = front.all(tell.ItemTruncated)[0]
    assert 1500 <= truncated.heard_ms <= 2400
    assert TEXT.startswith(truncated.heard) and "I am Mira." in truncated.heard != TEXT
    done = front.all(tell.ReplyDone)[0]
    assert (done.status, done.heard) == (ReplyStatus.CANCELLED, truncated.heard)
    history = stage.workers.turns[-1].history
    assert [(m.role, m.text) for m in history] == [
        (pb.ROLE_USER, "what is your name"),
        (pb.ROLE_ASSISTANT, truncated.heard),
        (pb.ROLE_USER, "no wait what is a robot"),
    ]
    assert front.kinds(tell.Paused, tell.Resumed, tell.Flushed) == ["Paused", "Flushed"]


@virtual
async def test_a_backchannel_ducks_and_goes_on() -> None:
    async with play() as stage:
        await stage.person.ask()
        await stage.front.until(tell.ReplyStarted)
        await stage.person.silence(600)
        await stage.person.speak(300, "mm-hm")
        await stage.person.silence(6000)
        front = stage.front
        await front.until(tell.ReplyDone)

    assert front.kinds(tell.Paused, tell.Resumed, tell.Flushed) == ["Paused", "Resumed"]
    assert front.at(tell.Resumed) - front.at(tell.Paused) <= 0.6
    assert len(front.all(tell.UserSpeechStarted)) == 1
    assert front.all(tell.ReplyDone)[0].status is ReplyStatus.COMPLETED
    assert front.played == front.sent == sum(len(a.pcm) // 2 for a in front.all(tell.ReplyAudio))


@virtual
async def test_a_withdrawn_guess_is_never_seen() -> None:
    async with play() as stage:
        await stage.person.speak(900, "what is your name")
        await stage.person.silence(340)
        await stage.person.speak(900, "and where do you live")
        await stage.person.silence(700)
        await stage.front.until(tell.ReplyDone)
        front = stage.front
    assert [s.generation for s in front.all(tell.ReplyStarted)] == [2]
    assert front.all(tell.Flushed) == []
    assert {a.generation for a in front.all(tell.ReplyAudio)} == {2}
    assert [t.history[-1].text for t in stage.workers.turns] == [
        "what is your name",
        "what is your name and where do you live",
    ]


@virtual
async def test_going_on_before_the_answer_is_heard_is_one_question() -> None:
    async with play() as stage:
        stage.workers.think_s = 0.6
        await stage.person.speak(900, "tell me a story")
        await stage.person.silence(480)
        await stage.person.speak(900, "about a dog please")
        await stage.person.silence(2500)
        await stage.front.until(tell.ReplyDone, 2)
    assert [m.text for m in stage.workers.turns[-1].history] == ["tell me a story about a dog please"]


@virtual
async def test_fifty_interruptions_and_not_one_stale_message() -> None:
    async with play() as stage:
        stage.workers.clauses = ["This goes on for quite a while, as long answers do."] * 6
        await stage.person.ask()
        for count in range(50):
            await stage.front.until(tell.ReplyStarted, count + 1)
            await stage.person.silence(100 + 60 * (count % 13))
            await stage.person.speak(900 + 40 * (count % 5), "no tell me about something else")
            await stage.person.silence(700)
        await stage.front.until(tell.ReplyStarted, 51)
        front = stage.front

    assert len(front.all(tell.Flushed)) == 50
    voided = 0
    generations = []
    for _, event in front.log:
        if isinstance(event, tell.Flushed):
            assert event.generation > voided
            voided = event.generation
        elif isinstance(event, tell.ReplyAudio | tell.ReplyVideo | tell.ReplyText | tell.ReplyStarted):
            assert event.generation >= voided, event
            if isinstance(event, tell.ReplyStarted):
                generations.append(event.generation)
    assert all(a < b for a, b in pairwise(generations))
    cancelled = [d for d in front.all(tell.ReplyDone) if d.status is ReplyStatus.CANCELLED]
    assert len(cancelled) == 50


@virtual
async def test_text_in_text_out() -> None:
    async with play(ConversationConfig(want_audio=False)) as stage:
        item = await stage.session.add_message("user", "Who are you?")
        await stage.session.respond()
        done = await stage.front.until(tell.ReplyDone)
        front = stage.front
        assert front.all(tell.ReplyStarted)[0].previous_item_id == item
        assert (done.status, done.text) == (ReplyStatus.COMPLETED, TEXT)
        assert front.all(tell.ReplyAudio) == []
        with pytest.raises(BadRequest):
            await stage.session.add_message("user", "again", item_id=item)
        with pytest.raises(BadRequest):
            await stage.session.add_message("wizard", "again")
        await stage.session.delete_item(item)
        with pytest.raises(BadRequest):
            await stage.session.delete_item(item)
        assert [i.role for i in stage.session.history] == ["assistant"]


@virtual
async def test_a_greeting_is_said_word_for_word() -> None:
    async with play() as stage:
        await stage.session.respond(verbatim="Hello, I am Mira.")
        done = await stage.front.until(tell.ReplyDone)
        assert done.text == "Hello, I am Mira."
        await asyncio.sleep(5)
        assert stage.front.played == stage.front.sent > 0
        assert all("endpoint" not in latency.ms for latency in stage.front.all(tell.TurnLatency))


@virtual
async def test_push_to_talk() -> None:
    async with play(ConversationConfig(turn_detection=TurnDetection(enabled=False))) as stage:
        with pytest.raises(BadRequest):
            await stage.session.commit()
        await stage.person.speak(900, "what is your name")
        item = await stage.session.commit()
        await stage.session.respond()
        await stage.front.until(tell.ReplyDone)
        front = stage.front
    assert front.all(tell.UserTurnCommitted) == [tell.UserTurnCommitted(item)]
    assert front.all(tell.UserTranscript) == [tell.UserTranscript(item, "what is your name")]
    assert front.all(tell.UserSpeechStarted) == []


@virtual
async def test_pushing_without_words_gets_a_clear_answer() -> None:
    async with play(ConversationConfig(turn_detection=TurnDetection(enabled=False))) as stage:
        await stage.person.silence(500)
        await stage.session.commit()
        await stage.session.respond()
        problem = await stage.front.until(tell.Problem)
        assert problem.code == "nothing_heard"


@virtual
async def test_switching_to_push_to_talk_keeps_the_turn_that_was_just_committed() -> None:
    async with play() as stage:
        await stage.person.speak(900, "what is your name")
        await stage.session.commit()
        await stage.session.configure(ConversationConfig(turn_detection=TurnDetection(enabled=False)))
        assert (await stage.front.until(tell.UserTranscript)).text == "what is your name"
        await stage.person.speak(900, "and now pushed")
        await stage.session.commit()
        assert (await stage.front.until(tell.UserTranscript, 2)).text == "and now pushed"
        assert [c.vad for c in stage.ears.opened] == [True, False]


@virtual
async def test_the_interrupt_button() -> None:
    async with play() as stage:
        await stage.session.interrupt()
        await stage.person.ask()
        await stage.front.until(tell.ReplyAudio, 5)
        await asyncio.sleep(1)
        await stage.session.interrupt()
        done = await stage.front.until(tell.ReplyDone)
        await asyncio.sleep(1)
        assert done.status is ReplyStatus.CANCELLED
        assert stage.front.kinds(tell.Flushed, tell.ReplyDone, tell.ReplyAudio)[-2:] == [
            "Flushed",
            "ReplyDone",
        ]
        assert stage.front.all(tell.ActivityChanged)[-1].activity is Activity.LISTENING


@virtual
async def test_an_interruption_after_all_was_sent_only_truncates() -> None:
    async with play() as stage:
        stage.workers.clauses = ["I am Mira."]
        await stage.person.speak(600, "what is your name")
        await stage.person.silence(440)
        await stage.front.until(tell.ReplyDone)
        await stage.session.interrupt()
        await stage.front.until(tell.ItemTruncated)
        await asyncio.sleep(1)
    assert [d.status for d in stage.front.all(tell.ReplyDone)] == [ReplyStatus.COMPLETED]
    assert stage.front.all(tell.ItemTruncated)[0].heard != "I am Mira."


@virtual
async def test_a_slow_front_loses_frames_but_no_audio() -> None:
    async with play(ConversationConfig(video=H264)) as stage:
        stage.front.take_s = 0.03  # 33 messages a second; voice and face are 30 together with text
        stage.workers.clauses = ["This goes on for quite a while, as long answers do."] * 4
        await stage.person.ask()
        stage.front.take_s = 0.1
        done = await stage.front.until(tell.ReplyDone, within_s=120)
        front = stage.front
    audio, video = front.all(tell.ReplyAudio), front.all(tell.ReplyVideo)
    assert done.status is ReplyStatus.COMPLETED
    assert [a.seq for a in audio] == list(range(1, len(audio) + 1))
    assert audio[-1].last
    assert 0 < len(video) < audio[-1].pts_samples // FRAME_SAMPLES
    assert all(a.pts_samples < b.pts_samples for a, b in pairwise(video))


@virtual
async def test_facts_about_the_person_go_with_the_next_turn_and_no_further() -> None:
    async with play() as stage:
        for facts in (("My name is Anna.",), ()):
            await stage.session.configure(replace(stage.session.config, facts=facts))
            count = len(stage.front.all(tell.ReplyDone)) + 1
            await stage.person.ask()
            await stage.front.until(tell.ReplyDone, count)
        assert [list(turn.facts) for turn in stage.workers.turns] == [["My name is Anna."], []]


@virtual
async def test_a_front_that_never_plays_is_given_up() -> None:
    async with play() as stage:
        stage.front.reports = False
        await stage.person.ask()
        problem = await stage.front.until(tell.Problem)
        assert problem.code == "playback_stalled"
        assert (await stage.front.until(tell.ReplyDone)).status is ReplyStatus.CANCELLED


@virtual
async def test_an_idle_conversation_does_nothing_at_all() -> None:
    async with play() as stage:
        await stage.person.ask()
        await stage.front.until(tell.ReplyDone)
        await asyncio.sleep(60)
        assert stage.session._sleeps_until == float("inf")
        assert stage.session._due() == float("inf")


@virtual
async def test_odd_bytes_are_refused_and_the_conversation_lives() -> None:
    async with play() as stage:
        with pytest.raises(BadRequest):
            await stage.session.hear(b"\0")
        await stage.person.ask()
        await stage.front.until(tell.ReplyDone)


@virtual
async def test_stale_playback_reports_change_nothing() -> None:
    async with play(FACE) as stage:
        await stage.person.ask()
        await stage.front.until(tell.ReplyAudio)
        await stage.session.played(99, 10**9)
        await stage.session.played(0, 10**9)
        assert stage.chain._sessions[stage.session.session].played < ms_to_samples(5000)
        await stage.front.until(tell.ReplyDone)


@virtual
async def test_what_is_being_said_is_told_to_a_mind_that_listens() -> None:
    hints: list[pb.Turn] = []
    async with play() as stage:
        await stage.session.add_message("user", "hello")

        async def listen() -> None:
            async for turn in stage.chain.foreseen():
                hints.append(turn)

        listening = asyncio.create_task(listen())
        await stage.person.ask("what is the biggest planet of them all")
        await stage.front.until(tell.ReplyStarted)
        listening.cancel()
    words = [turn.history[-1].text for turn in hints]
    assert len(words) >= 3 and words[0].startswith("what")
    assert all(later.startswith(earlier) for earlier, later in pairwise(words))
    assert all(turn.history[0].text == "hello" and turn.avatar == "mira" for turn in hints)
    assert words[-1] == stage.workers.turns[0].history[-1].text


@virtual
async def test_where_no_mind_listens_nothing_more_is_told_for_a_while() -> None:
    told = 0
    async with play() as stage:
        foresee = stage.chain.foresee

        async def counted(turn: pb.Turn) -> bool:
            nonlocal told
            told += 1
            return await foresee(turn)

        stage.chain.foresee = counted  # type: ignore[method-assign]
        await stage.person.ask("what is the biggest planet of them all")
        await stage.front.until(tell.ReplyStarted)
    assert told == 1
