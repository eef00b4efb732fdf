"""Live speech can carry the inaudible mark, and nothing else about it changes."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parley.bench.questions import spoken
from parley.engines import SpeechChunk
from parley.media.audio import pcm16_to_float
from parley.provenance.watermark import detect
from proto.parley.v1 import chain_pb2 as pb
from services.tts.engines.fake import FakeEngine
from services.tts.pacing import Pacer
from services.tts.voices import Speaker

TEXT = "Swallows leave in September and come back in April, guided by the sun and the stars."


class Recorded(FakeEngine):
    """Speaks one recording, in chunks."""

    def __init__(self, audio: NDArray[np.float32]) -> None:
        super().__init__()
        self._recording = audio

    def synthesize(self, text: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
        for start in range(0, len(self._recording), 4000):
            yield SpeechChunk(self._recording[start : start + 4000])


def pieces(engine: FakeEngine, watermark: int | None) -> list[pb.SpeechPiece]:
    pacer = Pacer(engine, Speaker("low", watermark=watermark))
    return [*pacer.clause(1, "Swallows leave.", last=True)]


def sound(made: list[pb.SpeechPiece]) -> NDArray[np.float32]:
    return pcm16_to_float(b"".join(piece.pcm for piece in made))


def test_a_marked_reply_has_the_same_pieces_and_the_mark() -> None:
    engine = Recorded(spoken(TEXT, "slt"))
    plain, marked = pieces(engine, None), pieces(engine, 0x1234)
    assert [(p.pts_samples, len(p.pcm), p.last) for p in plain] == [
        (p.pts_samples, len(p.pcm), p.last) for p in marked
    ]
    assert detect(sound(marked)).payload == 0x1234
    assert detect(sound(plain)).payload is None
    assert not sound(marked)[-2000:].any()
    assert pieces(engine, 0x1234) == marked  # a worker that takes it over makes the same ones


def test_phones_stay_where_they_are_and_nothing_clips() -> None:
    plain, marked = pieces(FakeEngine(), None), pieces(FakeEngine(), 7)
    assert [list(p.phones) for p in plain] == [list(p.phones) for p in marked]
    loud = Recorded(np.sign(np.sin(np.arange(48_000) / 9)).astype(np.float32))
    assert np.abs(sound(pieces(loud, 7))).max() <= 0.951
