"""Scripted conversations on virtual time."""

import pytest

from parley.conversation.events import Activity
from parley.conversation.interface import TurnDetection
from parley.turns import commands as do
from parley.turns import inputs as on
from tests.unit.parley.turns.stage import STEP_MS, Stage


def test_a_simple_turn_is_answered_after_the_short_pause() -> None:
    play = Stage()
    play.speak(1200, "what is your name")
    ended = play.now_ms
    play.silence(800)

    assert play.kinds() == ["OpenTurn", "StartReply", "EndTurn", "Transcribe", "ReleaseReply"]
    assert play.all(do.OpenTurn)[0].at_samples == 0
    assert play.all(do.Transcribe) == [do.Transcribe(1, "what is your name")]
    assert play.all(do.StartReply) == [do.StartReply(1, "what is your name", speculative=True)]
    assert play.at(do.StartReply) - ended <= 300
    assert 400 <= play.at(do.ReleaseReply) - ended <= 400 + STEP_MS
    assert play.log[-1][1] == do.ShowActivity(Activity.THINKING)


def test_an_unfinished_sentence_gets_the_long_pause() -> None:
    play = Stage()
    play.speak(1200, "tell me about the")
    ended = play.now_ms
    play.silence(1600)
    pause = TurnDetection().incomplete_pause_ms
    assert pause <= play.at(do.EndTurn) - ended <= pause + STEP_MS


def test_a_hesitant_speaker_is_not_cut() -> None:
    play = Stage()
    for text in ("i would like", "to know", "where you were", "born and", "what you do"):
        play.speak(600, text)
        play.silence(350)
        assert play.all(do.EndTurn) == []
    play.silence(400)
    assert play.all(do.Transcribe)[0].text == "i would like to know where you were born and what you do"
    assert len(play.all(do.OpenTurn)) == 1


def test_a_filler_keeps_the_floor() -> None:
    play = Stage()
    play.speak(900, "my name is john um")
    play.silence(780)
    assert play.all(do.EndTurn) == []
    play.silence(200)
    assert len(play.all(do.EndTurn)) == 1


def test_noise_without_words_is_no_turn() -> None:
    play = Stage()
    play.speak(300, "")
    play.silence(1500)
    assert play.kinds() == ["OpenTurn", "DropTurn"]
    assert play.machine.deadline() is None


def test_speech_that_resumes_withdraws_the_guess_silently() -> None:
    play = Stage()
    play.speak(900, "what is your name")
    play.silence(320)
    assert play.all(do.StartReply) == [do.StartReply(1, "what is your name", speculative=True)]
    play.speak(600, "and where do you live")
    play.silence(700)

    assert play.all(do.Flush) == [do.Flush(2, announced=False)]
    assert play.all(do.StartReply)[-1].generation == 2
    assert play.all(do.Transcribe) == [do.Transcribe(1, "what is your name and where do you live")]
    assert play.kinds().count("ReleaseReply") == 1


def test_a_slow_transcript_delays_the_end_but_not_for_ever() -> None:
    play = Stage(final_ms=700)
    play.speak(900, "what is your name")
    ended = play.now_ms
    play.silence(1200)
    assert 800 <= play.at(do.EndTurn) - ended <= 1000
    assert play.kinds() == ["OpenTurn", "EndTurn", "Transcribe", "StartReply"]  # too late for a guess


def test_deaf_ears_fail_the_turn() -> None:
    play = Stage(deaf=True)
    play.speak(900, "what is your name")
    play.silence(9000)
    assert play.all(do.Transcribe)[0].error
    assert play.all(do.StartReply) == []
    assert play.machine.deadline() is None


def test_a_backchannel_only_pauses_the_reply() -> None:
    play = Stage()
    generation = play.answer()
    start = play.now_ms
    play.speak(300, "mm-hm")
    play.silence(500)

    assert play.kinds() == ["PauseOutput", "ResumeOutput"]
    assert play.at(do.PauseOutput) - start <= 100
    assert play.at(do.ResumeOutput) - start <= 600
    assert play.all(do.ResumeOutput) == [do.ResumeOutput(generation)]


def test_a_cough_only_pauses_the_reply() -> None:
    play = Stage()
    play.answer()
    play.speak(200, "")
    play.silence(500)
    assert play.kinds() == ["PauseOutput", "ResumeOutput"]


def test_a_long_backchannel_is_still_one() -> None:
    play = Stage()
    play.answer()
    play.speak(700, "yeah yeah right")
    play.silence(500)
    assert play.kinds() == ["PauseOutput", "ResumeOutput"]


def test_a_real_interruption_flushes_and_is_answered() -> None:
    play = Stage()
    play.answer()
    start = play.now_ms
    play.speak(1200, "no wait tell me about robots")
    assert play.kinds() == ["PauseOutput", "Flush", "OpenTurn"]
    assert play.at(do.PauseOutput) - start <= 100
    assert play.at(do.Flush) - start <= 600
    play.silence(700)
    assert play.all(do.Flush) == [do.Flush(2, announced=True)]
    assert play.all(do.StartReply) == [do.StartReply(2, "no wait tell me about robots", speculative=True)]
    assert play.all(do.Transcribe)[0].text == "no wait tell me about robots"


def test_a_short_stop_interrupts_once_it_is_understood() -> None:
    play = Stage()
    play.answer()
    play.speak(320, "stop", partials=False)
    play.silence(600)
    assert play.kinds()[:3] == ["PauseOutput", "Flush", "OpenTurn"]
    assert play.all(do.Transcribe)[0].text == "stop"


@pytest.mark.parametrize(
    ("text", "confidence", "interrupts"),
    [("he then", 0.35, False), ("he then", 0.6, True), ("he then", 0.0, True), ("no", 0.26, True)],
)
def test_a_short_sound_interrupts_only_if_it_was_understood(
    text: str, confidence: float, interrupts: bool
) -> None:
    play = Stage()
    play.answer()
    play.confidence = confidence
    play.speak(320, text, partials=False)
    play.silence(600)
    assert ("Flush" in play.kinds()) is interrupts
    assert ("ResumeOutput" in play.kinds()) is not interrupts


def test_long_speech_interrupts_even_if_nothing_is_understood() -> None:
    play = Stage()
    play.answer()
    play.speak(700, "", partials=False)
    assert play.kinds() == ["PauseOutput", "Flush", "OpenTurn"]


def test_without_pause_the_reply_is_flushed_quickly() -> None:
    play = Stage(can_pause=False)
    play.answer()
    start = play.now_ms
    play.speak(600, "wait a moment")
    assert play.kinds() == ["Flush", "OpenTurn"]
    assert play.at(do.Flush) - start <= 300


def test_without_pause_a_click_is_nothing() -> None:
    play = Stage(can_pause=False)
    play.answer()
    play.speak(128, "")
    play.silence(500)
    assert play.kinds() == []


def test_speaking_on_right_after_the_end_stops_the_reply_that_is_not_heard_yet() -> None:
    play = Stage()
    play.speak(900, "tell me a story")
    play.silence(480)
    assert play.kinds()[-1] == "ReleaseReply"
    play.speak(900, "about a dog please")
    play.silence(700)
    assert play.all(do.Flush) == [do.Flush(2, announced=True)]
    assert [t.text for t in play.all(do.Transcribe)] == ["tell me a story", "about a dog please"]


def test_the_avatar_may_be_set_to_finish_its_sentence() -> None:
    play = Stage(TurnDetection(interrupt=False))
    generation = play.answer()
    play.speak(900, "what about robots")
    play.silence(700)
    assert play.kinds() == ["OpenTurn", "EndTurn", "Transcribe"]
    play.feed(on.ReplyOver(generation))
    assert play.kinds()[-1] == "StartReply"


def test_a_turn_need_not_be_answered() -> None:
    play = Stage(TurnDetection(create_response=False))
    play.speak(900, "what is your name")
    play.silence(700)
    assert play.kinds() == ["OpenTurn", "EndTurn", "Transcribe"]
    play.feed(on.Respond(instructions="be brief"))
    assert play.all(do.StartReply) == [do.StartReply(1, instructions="be brief")]


def test_push_to_talk() -> None:
    play = Stage(TurnDetection(enabled=False))
    play.speak(900, "what is your name")
    play.silence(3000)
    assert play.kinds() == []
    play.feed(on.CommitByHand(), on.Respond())
    assert play.kinds() == ["EndTurn"]
    play.stall(100)
    assert play.kinds() == ["EndTurn", "Transcribe", "StartReply"]
    assert play.all(do.Transcribe)[0].text == "what is your name"


def test_push_to_talk_with_nothing_said_answers_nothing() -> None:
    play = Stage(TurnDetection(enabled=False))
    play.silence(900)
    play.feed(on.CommitByHand(), on.Respond())
    play.stall(100)
    assert play.kinds() == ["EndTurn", "Transcribe", "NothingToAnswer"]


def test_two_turns_pushed_quickly_are_answered_once() -> None:
    play = Stage(TurnDetection(enabled=False))
    play.speak(600, "one moment")
    play.feed(on.CommitByHand())
    play.speak(40, "hello")
    play.feed(on.CommitByHand(), on.Respond())
    play.stall(200)
    assert [t.text for t in play.all(do.Transcribe)] == ["one moment", "hello"]
    assert len(play.all(do.StartReply)) == 1


def test_a_commit_by_hand_ends_a_turn_early() -> None:
    play = Stage()
    play.speak(900, "tell me about the")
    play.feed(on.CommitByHand(), on.Respond())
    play.stall(100)
    assert play.kinds() == ["OpenTurn", "EndTurn", "Transcribe", "StartReply"]


def test_deaf_ears_do_not_hold_a_commit_for_ever() -> None:
    play = Stage(TurnDetection(enabled=False), deaf=True)
    play.speak(900, "hello")
    play.feed(on.CommitByHand(), on.Respond())
    play.stall(6000)
    assert play.kinds() == ["EndTurn", "Transcribe", "NothingToAnswer"]
    assert play.all(do.NothingToAnswer)[0].error


def test_text_interrupts_and_is_answered() -> None:
    play = Stage()
    play.answer()
    play.feed(on.Respond(verbatim="Hello."))
    assert play.kinds() == ["Flush", "StartReply"]
    assert play.all(do.StartReply) == [do.StartReply(2, verbatim="Hello.")]


def test_a_patient_request_waits_for_the_reply_that_runs() -> None:
    play = Stage()
    first = play.answer()
    play.feed(on.Respond(instructions="Be brief.", patient=True))
    assert play.kinds() == []
    play.feed(on.ReplyOver(first))
    assert play.all(do.StartReply) == [do.StartReply(first + 1, instructions="Be brief.")]
    play.feed(on.ReplyOver(first + 1), on.Respond(patient=True))
    assert len(play.all(do.StartReply)) == 2, "nothing runs, so it is answered at once"


def test_a_patient_request_is_taken_back_by_an_interruption() -> None:
    play = Stage()
    first = play.answer()
    play.feed(on.Respond(patient=True))
    play.speak(1200, "no wait what about tomorrow")
    play.silence(700)
    assert len(play.all(do.Overtaken)) == 1
    assert [reply.generation for reply in play.all(do.StartReply)] == [first + 1]


def test_the_interrupt_button() -> None:
    play = Stage()
    play.feed(on.Interrupt())
    assert play.kinds() == []
    play.answer()
    play.feed(on.Interrupt())
    assert play.kinds() == ["Flush"]
    assert play.log[-1][1] == do.ShowActivity(Activity.LISTENING)


def test_the_button_while_it_is_paused() -> None:
    play = Stage()
    play.answer()
    play.speak(160, "")
    play.feed(on.Interrupt())
    assert play.kinds() == ["PauseOutput", "Flush", "OpenTurn"]


def test_cleared_input_resumes_the_reply() -> None:
    play = Stage()
    play.answer()
    play.speak(160, "")
    play.feed(on.ClearInput())
    assert play.kinds() == ["PauseOutput", "ResumeOutput"]


def test_cleared_input_withdraws_the_guess() -> None:
    play = Stage()
    play.speak(900, "what is your name")
    play.silence(320)
    play.feed(on.ClearInput())
    assert play.kinds() == ["OpenTurn", "StartReply", "Flush", "DropTurn"]


def test_a_client_that_stops_sending_ends_its_turn() -> None:
    play = Stage()
    play.speak(900, "what is your name")
    ended = play.now_ms
    play.stall(3000)
    assert play.at(do.EndTurn) - ended <= 1500 + play.final_ms + 1
    assert play.kinds()[-1] == "StartReply"
    assert play.machine.deadline() is None


def test_a_client_that_stops_sending_in_a_pause_ends_its_turn() -> None:
    play = Stage()
    play.speak(900, "tell me about")
    play.silence(320)
    ended = play.now_ms
    play.stall(3000)
    assert play.at(do.EndTurn) - ended <= 1500 - 320 + 1


def test_a_client_that_stops_sending_mid_interruption_hears_the_rest() -> None:
    play = Stage()
    play.answer()
    play.speak(160, "")
    play.stall(3000)
    assert play.kinds() == ["PauseOutput", "ResumeOutput"]


def test_lost_ears_drop_the_turn_and_give_the_floor_back() -> None:
    play = Stage()
    play.speak(600, "hello")
    play.feed(on.EarsLost())
    assert play.kinds() == ["OpenTurn", "DropTurn"]
    other = Stage()
    other.answer()
    other.speak(160, "")
    other.feed(on.EarsLost())
    assert other.kinds() == ["PauseOutput", "ResumeOutput"]


def test_a_reply_that_ends_under_a_possible_interruption() -> None:
    play = Stage(can_pause=False)
    generation = play.answer()
    play.speak(96, "")
    play.feed(on.ReplyOver(generation))
    assert play.kinds() == ["OpenTurn"]


def test_ears_that_lag_too_far_behind_end_the_wait() -> None:
    play = Stage(deaf=True)
    play.speak(900, "hello")
    play.feed(on.SpeechStopped(play.machine._heard))
    for _ in range(400):
        play.now_ms += STEP_MS
        play.audio_ms += STEP_MS
        play.feed(on.Heard(play._samples()))
        play._tick()
    assert play.all(do.Transcribe)[0].error
    assert play.machine.deadline() is None


@pytest.mark.parametrize("pause", [200, 260, 320, 352])
def test_natural_pauses_inside_a_finished_sounding_sentence(pause: float) -> None:
    play = Stage()
    play.speak(900, "i went to the market")
    play.silence(pause)
    play.speak(900, "with my sister")
    play.silence(700)
    assert [t.text for t in play.all(do.Transcribe)] == ["i went to the market with my sister"]


def test_an_idle_machine_waits_for_nothing() -> None:
    play = Stage()
    play.silence(3000)
    assert play.log == []
    assert play.machine.deadline() is None
