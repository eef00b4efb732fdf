"""How far made speech is from real speech, and how well it is understood."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder

from parley.engines import Audio
from parley.media.audio import float_to_pcm16, resample
from parley.media.clock import SAMPLE_RATE_HZ
from parley.wer import word_errors
from services.tts.fastpitch import frames
from services.tts.fastpitch.frames import MELS, Floats
from training.data.speaker_encoder import RATE_HZ, WINDOW_S, SpeakerEncoder
from training.tts import pitch

CEPSTRA: Final = 13  # without the 0th: loudness is no distortion
_QUIET: Final = 1e-3  # of the loudest frame's power
Alignment = tuple[NDArray[np.int64], NDArray[np.int64]]


def cepstra(audio: Audio) -> Floats:
    """Mel cepstra without the 0th of the frames that are not silent at either end, float32 [frames, 13].

    On the scale of SPTK: the log magnitude is the sum of c_m cos(m ω).
    """
    power = np.abs(frames.spectrum(audio)) ** 2
    level = power.sum(1)
    loud = np.flatnonzero(level > _QUIET * level.max(initial=1e-9))
    heard = power[loud[0] : loud[-1] + 1] if len(loud) else power
    logs = np.log(np.sqrt(heard + 1e-9) @ frames.filters() + 1e-5)
    at = np.pi / MELS * (np.arange(MELS) + 0.5)
    basis = np.cos(np.arange(1, CEPSTRA + 1)[:, None] * at) * 2 / MELS
    out: Floats = (logs @ basis.T).astype(np.float32)
    return out


def path(costs: NDArray[np.floating]) -> Alignment:
    """Dynamic time warping: the cheapest monotonous path through costs [n, m], as rows and columns."""
    n, m = costs.shape
    total = np.full((n + 1, m + 1), np.inf)
    total[0, 0] = 0
    for i in range(1, n + 1):
        above = np.minimum(total[i - 1, 1:], total[i - 1, :-1])
        for j in range(1, m + 1):
            total[i, j] = costs[i - 1, j - 1] + min(above[j - 1], total[i, j - 1])
    i, j = n, m
    rows, columns = [], []
    while i and j:
        rows.append(i - 1)
        columns.append(j - 1)
        i, j = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda at: total[at])
    return np.array(rows[::-1]), np.array(columns[::-1])


def _warped(made: Audio, real: Audio) -> tuple[Floats, Floats, Alignment]:
    a, b = cepstra(made), cepstra(real)
    return a, b, path(np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1)))


def distortion_db(made: Audio, real: Audio) -> float:
    """Mel-cepstral distortion (Kubichek 1993) along the cheapest alignment, in dB."""
    a, b, (rows, columns) = _warped(made, real)
    return float(10 / np.log(10) * np.sqrt(2 * ((a[rows] - b[columns]) ** 2).sum(-1)).mean())


def pitch_error(made: Audio, real: Audio) -> tuple[float, float]:
    """Root mean square error of the pitch where both are voiced, Hz, and share of frames where one alone is.

    Along the alignment of `distortion_db`; 0 Hz when no frame is voiced in both.
    """
    _, _, (rows, columns) = _warped(made, real)
    first = [_begin(sound) for sound in (made, real)]
    ours, theirs = pitch.track(made)[rows + first[0]], pitch.track(real)[columns + first[1]]
    both = (ours > 0) & (theirs > 0)
    error = float(np.sqrt(((ours - theirs)[both] ** 2).mean())) if both.any() else 0.0
    return error, float(((ours > 0) != (theirs > 0)).mean())


def _begin(audio: Audio) -> int:
    level = (np.abs(frames.spectrum(audio)) ** 2).sum(1)
    return int(np.argmax(level > _QUIET * level.max(initial=1e-9)))


class Ear:
    """Pocketsphinx with its bundled model: a yardstick between voices, not a measure of people's hearing."""

    def __init__(self) -> None:
        self._decoder = Decoder(samprate=float(RATE_HZ), loglevel="FATAL")

    def hear(self, audio: Audio) -> str:
        """The words in float32 [n] at 24 kHz."""
        self._decoder.start_utt()
        pcm = float_to_pcm16(resample(audio, SAMPLE_RATE_HZ, RATE_HZ))
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return str(hypothesis.hypstr) if hypothesis else ""


class WhisperEar:
    """A CTranslate2 Whisper.

    Args:
        folder: Of the model.
    """

    def __init__(self, folder: str) -> None:
        from faster_whisper import WhisperModel

        self._model = WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1)

    def hear(self, audio: Audio) -> str:
        """The words in float32 [n] at 24 kHz."""
        low = resample(audio, SAMPLE_RATE_HZ, RATE_HZ)
        segments, _ = self._model.transcribe(low, language="en", beam_size=1, without_timestamps=True)
        return " ".join(segment.text for segment in segments)


def word_error_rate(ear: Ear | WhisperEar, spoken: Sequence[Audio], texts: Sequence[str]) -> float:
    """Of all sentences together."""
    counts = [word_errors(text, ear.hear(audio)) for audio, text in zip(spoken, texts, strict=True)]
    return sum(wrong for wrong, _ in counts) / max(sum(words for _, words in counts), 1)


def speaker(encoder: SpeakerEncoder, spoken: Sequence[Audio]) -> Floats:
    """Who speaks: the mean direction of all windows, float32 [256] of length 1."""
    parts = []
    for audio in spoken:
        low = resample(audio, SAMPLE_RATE_HZ, RATE_HZ)
        last = max(len(low) / RATE_HZ - WINDOW_S, 0.0)
        parts.append(encoder.windows(low, np.arange(0.0, last + 0.01, WINDOW_S / 2)))
    mean = np.concatenate(parts).mean(0)
    direction: Floats = (mean / np.linalg.norm(mean)).astype(np.float32)
    return direction
