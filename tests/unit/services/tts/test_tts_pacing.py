"""A reply's pieces on the media clock."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.engines import SpeechChunk
from parley.media.audio import pcm16_to_float
from parley.media.clock import FRAME_SAMPLES, ms_to_samples
from proto.parley.v1 import chain_pb2 as pb
from services.tts.engines.fake import FakeEngine
from services.tts.lexicon import Lexicon
from services.tts.pacing import MAX_STRETCH_CHARS, PIECE, Pacer, pause_ms, stretches
from services.tts.voices import Speaker

SPEAKER = Speaker("low")


def reply(clauses: Sequence[str], *, last_with_text: bool = True) -> list[pb.SpeechPiece]:
    pacer = Pacer(FakeEngine(), SPEAKER)
    pieces: list[pb.SpeechPiece] = []
    for seq, text in enumerate(clauses, 1):
        pieces += pacer.clause(seq, text, last=last_with_text and seq == len(clauses))
    return pieces + list(pacer.finish())


def length(piece: pb.SpeechPiece) -> int:
    return len(piece.pcm) // 2


def check(pieces: Sequence[pb.SpeechPiece]) -> None:
    """What holds for every reply."""
    at = end = 0
    clause = 0
    for piece in pieces:
        assert piece.pts_samples == at
        assert 0 < length(piece) <= PIECE
        assert length(piece) % FRAME_SAMPLES == 0
        at += length(piece)
        assert piece.clause >= clause
        if piece.clause > clause:
            assert piece.clause_start_samples == piece.pts_samples
        clause = piece.clause
        assert piece.has_phones
        for phone in piece.phones:
            assert max(end, piece.pts_samples) < phone.end_samples <= at
            end = phone.end_samples
        assert np.abs(pcm16_to_float(piece.pcm)).max() <= 0.95
    assert end == at
    assert pieces[-1].phones[-1].symbol == "pau"
    assert [piece.last for piece in pieces] == [False] * (len(pieces) - 1) + [True]


def test_a_reply_is_contiguous_and_ends_in_silence() -> None:
    pieces = reply(["Hello there,", " this is a reply.", " Good bye!"])
    check(pieces)
    assert {piece.clause for piece in pieces} == {1, 2, 3}
    assert length(pieces[0]) == 2 * FRAME_SAMPLES
    audio = pcm16_to_float(b"".join(piece.pcm for piece in pieces))
    assert not audio[-ms_to_samples(200) :].any()
    assert np.abs(audio).max() > 0.05


CLAUSES = st.lists(
    st.sampled_from(["Hi,", " so it is.", "🙂", "", " 42!", " a", " — ", " word " * 60]), max_size=6
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(CLAUSES, st.booleans())
def test_every_reply_is_well_formed(clauses: list[str], last_with_text: bool) -> None:
    check(reply(clauses, last_with_text=last_with_text))


def test_the_same_clauses_give_the_same_pieces() -> None:
    clauses = ["Well,", " I think so.", " Do you?"]
    assert [p.SerializeToString(deterministic=True) for p in reply(clauses)] == [
        p.SerializeToString(deterministic=True) for p in reply(clauses)
    ]


def test_a_reply_without_words_is_a_short_silence() -> None:
    pieces = reply(["🙂", "..."])
    check(pieces)
    assert sum(map(length, pieces)) == 5 * FRAME_SAMPLES


def test_finish_comes_once() -> None:
    pacer = Pacer(FakeEngine(), SPEAKER)
    assert list(pacer.clause(1, "Hello.", last=True))
    assert not list(pacer.finish())


@pytest.mark.parametrize(
    ("mark", "low", "high"),
    [(",", 120, 180), (":", 120, 180), (".", 280, 400), ("?!", 280, 400), ("", 40, 120)],
)
def test_pauses_are_those_of_the_punctuation(mark: str, low: int, high: int) -> None:
    pieces = reply([f"papa{mark}", " bbbb."])
    second = next(piece for piece in pieces if piece.clause == 2)
    # From the first sample on: 20 ms that trimming keeps, four letters of 50 ms, then silence up to the next
    # clause, which begins with another 20 ms of it.
    silence_ms = second.pts_samples / 24 - 20 - 4 * 50 + 20
    assert low <= silence_ms <= high


def test_closing_quotes_do_not_hide_the_mark() -> None:
    assert pause_ms('"Really?" ') == pause_ms("Really?")
    assert pause_ms("a line\n") == pause_ms("a line.")


def test_joins_do_not_click() -> None:
    audio = pcm16_to_float(b"".join(piece.pcm for piece in reply(["aaaa,", " bbbb.", " cccc"])))
    # A 220 Hz tone at this level moves by less than 0.01 a sample; a click would move by its amplitude.
    assert np.abs(np.diff(audio)).max() < 0.02


def test_long_clauses_are_synthesised_in_stretches() -> None:
    text = " ".join(["one two three four five six seven eight nine,"] * 20)
    parts = stretches(text, short_first=True)
    assert " ".join(parts) == text
    assert len(parts[0]) < 60
    assert max(map(len, parts)) <= MAX_STRETCH_CHARS
    assert all(part.endswith(",") for part in parts)
    assert max(map(len, stretches("x" * 1000, short_first=False))) <= MAX_STRETCH_CHARS


def test_the_lexicon_is_used() -> None:
    heard: list[str] = []

    class Spy(FakeEngine):
        def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
            heard.append(clause)
            return super().synthesize(clause, voice=voice, speed=speed)

    speaker = Speaker("low", lexicon=Lexicon({"mira": "M IH R AH"}))
    assert list(Pacer(Spy(), speaker).clause(1, "I am Mira, of 2024.", last=True))
    assert heard == ["I am [M IH1 R AH0], of twenty twenty four."]


def test_without_phones_none_are_told() -> None:
    class Mute(FakeEngine):
        has_phones = False

        def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
            for chunk in super().synthesize(clause, voice=voice, speed=speed):
                yield SpeechChunk(chunk.audio)

    pieces = list(Pacer(Mute(), SPEAKER).clause(1, "Hello.", last=True))
    assert pieces
    assert not any(piece.has_phones or piece.phones for piece in pieces)
