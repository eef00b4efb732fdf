"""One reply on the media clock: clauses in, pieces of speech out, without gap, each a whole number of frames.

The pieces depend on nothing but the sequence of clauses, so that a worker which takes a reply over makes the
same ones again.
"""

import re
from collections import deque
from collections.abc import Iterator

import numpy as np

from parley.engines import Audio, SpeechChunk, TimedPhone, TtsEngine
from parley.media.audio import float_to_pcm16
from parley.media.clock import FRAME_SAMPLES, ms_to_samples
from parley.provenance.watermark import Marker
from proto.parley.v1 import chain_pb2 as pb
from services.tts.engines.phones import SILENCE
from services.tts.phone_track import PhoneTrack
from services.tts.shaping import DcBlocker, Trimmer, limit
from services.tts.text import normalize
from services.tts.voices import Speaker

FIRST_PIECE = 2 * FRAME_SAMPLES  # enough for the face's first frame, and out at once
PIECE = 5 * FRAME_SAMPLES  # 200 ms
# On top of the 60 ms that trimming leaves around speech, and of what fills the last frame (0…40 ms).
SENTENCE_PAUSE_MS = 260
CLAUSE_PAUSE_MS = 80
JOIN_PAUSE_MS = 20
END_MS = 200
MAX_STRETCH_CHARS = 160
FIRST_STRETCH_CHARS = 60

_SENTENCE_END = re.compile(r"[.!?…]['\")\]”’»]*\s*$")
_CLAUSE_END = re.compile(r"[,;:–—-]['\")\]”’»]*\s*$")
_FIRST_MARK = re.compile(rf".{{12,{FIRST_STRETCH_CHARS}}}?[,.?!] ")


def pause_ms(text: str) -> int:
    """The silence to add after a clause, by the punctuation that it ends with."""
    if _SENTENCE_END.search(text) or text.endswith("\n"):
        return SENTENCE_PAUSE_MS
    return CLAUSE_PAUSE_MS if _CLAUSE_END.search(text) else JOIN_PAUSE_MS


def stretches(spoken: str, *, short_first: bool) -> list[str]:
    """A normalised clause in parts that are quick to synthesise.

    Args:
        spoken: Words and marks.
        short_first: Let the first part end at the first mark after a few words, so that speech starts soon.
    """
    parts: list[str] = []
    if short_first and len(spoken) > FIRST_STRETCH_CHARS and (mark := _FIRST_MARK.match(spoken)):
        parts.append(mark[0].strip())
        spoken = spoken[mark.end() :]
    while len(spoken) > MAX_STRETCH_CHARS:
        window = spoken[:MAX_STRETCH_CHARS]
        cut = max(window.rfind(mark + " ") + 1 for mark in ",.?!")
        if cut < MAX_STRETCH_CHARS // 3:
            cut = window.rfind(" ")
        if cut <= 0:
            cut = MAX_STRETCH_CHARS
        parts.append(spoken[:cut].strip())
        spoken = spoken[cut:].strip()
    return [*parts, spoken]


class Pacer:
    """Makes the pieces of one reply. Its generators run the engine: use them in a thread, one at a time.

    Args:
        engine: Speaks.
        speaker: How.
    """

    def __init__(self, engine: TtsEngine, speaker: Speaker) -> None:
        self._engine = engine
        self._speaker = speaker
        self._buffer: Audio = np.zeros(0, np.float32)
        self._phones = PhoneTrack()
        self._marker = None if speaker.watermark is None else Marker(speaker.watermark)
        self._pts = 0  # where the next piece starts
        self._made = 0  # where the buffer ends
        self._first = True
        self._clause = 0
        self._clause_start = 0
        self.ended = False

    def clause(self, seq: int, text: str, *, last: bool) -> Iterator[pb.SpeechPiece]:
        """Speaks one clause.

        Args:
            seq: Of the TextPiece.
            text: With its own spacing; may hold nothing that can be spoken.
            last: The reply ends with it.

        Raises:
            ParleyError: As the engine does.
        """
        spoken = self._speaker.lexicon.mark(normalize(text, known=self._speaker.lexicon.words))
        self._clause, self._clause_start = seq, self._made
        if spoken:
            before = ""
            for part in stretches(spoken, short_first=self._first):
                if self._made > self._clause_start:
                    self._silence(ms_to_samples(pause_ms(before)))
                yield from self._speech(part)
                before = part
        if last:
            yield from self.finish()
        elif self._made > self._clause_start:
            self._silence(ms_to_samples(pause_ms(text)))
            yield from self._rest_of_clause()

    def finish(self) -> Iterator[pb.SpeechPiece]:
        """The reply's end: 200 ms in which the mouth closes. Nothing when it has ended already."""
        if self.ended:
            return
        self.ended = True
        self._silence(ms_to_samples(END_MS))
        for piece in self._rest_of_clause():
            piece.last = piece.pts_samples + len(piece.pcm) // 2 == self._made
            yield piece

    def _speech(self, spoken: str) -> Iterator[pb.SpeechPiece]:
        """Synthesises one stretch and gives out what fills pieces."""
        trimmer, blocker = Trimmer(), DcBlocker()
        base = self._made
        waiting: deque[TimedPhone] = deque()
        begin: int | None = None
        for chunk in self._engine.synthesize(spoken, voice=self._speaker.voice, speed=self._speaker.speed):
            if begin is None:
                begin = _speech_begin(chunk)
            shaped = limit(blocker.push(chunk.audio) * np.float32(self._speaker.gain))
            self._append(trimmer.push(shaped, speech_at=begin))
            waiting.extend(chunk.phones)
            if trimmer.cut is not None:
                self._phones.place(waiting, base - trimmer.cut, self._made)
                yield from self._full_pieces()
        self._append(trimmer.finish())
        if trimmer.cut is not None:
            self._phones.place(waiting, base - trimmer.cut, self._made, final=True)

    def _append(self, audio: Audio) -> None:
        self._buffer = np.concatenate([self._buffer, audio])
        self._made += len(audio)

    def _silence(self, samples: int) -> None:
        """Adds a pause, and the phone of it."""
        self._append(np.zeros(samples, np.float32))
        self._phones.hush(self._made)

    def _full_pieces(self) -> Iterator[pb.SpeechPiece]:
        while len(self._buffer) >= (size := FIRST_PIECE if self._first else PIECE):
            yield self._piece(size)

    def _rest_of_clause(self) -> Iterator[pb.SpeechPiece]:
        """Pads to a whole frame and gives out everything."""
        missing = -len(self._buffer) % FRAME_SAMPLES
        if missing:
            self._silence(missing)
        while len(self._buffer):
            yield self._piece(min(FIRST_PIECE if self._first else PIECE, len(self._buffer)))

    def _piece(self, samples: int) -> pb.SpeechPiece:
        self._first = False
        audio, self._buffer = self._buffer[:samples], self._buffer[samples:]
        if self._marker is not None:
            audio = limit(self._marker.push(audio))
        piece = pb.SpeechPiece(
            pts_samples=self._pts,
            pcm=float_to_pcm16(audio),
            clause=self._clause,
            clause_start_samples=self._clause_start,
            has_phones=self._engine.has_phones,
        )
        self._pts += samples
        if self._engine.has_phones:
            piece.phones.extend(self._phones.take(self._pts))
        return piece


def _speech_begin(chunk: SpeechChunk) -> int | None:
    """Where the engine says that speech begins in the first chunk of a stretch; None if it does not say."""
    if not chunk.phones:
        return None
    first = chunk.phones[0]
    return first.end if first.symbol == SILENCE else 0
