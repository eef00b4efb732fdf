"""What happens to recordings on their way: codecs, resampling, noise, cuts; all on float32 [n] at 24 kHz."""

import io
from collections.abc import Callable
from typing import Final, cast

import av
import numpy as np
from numpy.typing import NDArray

from parley.media.audio import float_to_pcm16, resample
from parley.media.clock import SAMPLE_RATE_HZ

Audio = NDArray[np.float32]
Attack = Callable[[Audio], Audio]


def coded(codec: str, container: str, kbps: int, *, rate_hz: int = SAMPLE_RATE_HZ) -> Attack:
    """An attack that encodes and decodes, delay of the codec included."""

    def attack(audio: Audio) -> Audio:
        file = io.BytesIO()
        with av.open(file, "w", format=container) as sink:
            stream = cast(av.AudioStream, sink.add_stream(codec, rate=rate_hz, layout="mono"))
            stream.bit_rate = kbps * 1000
            resampler = av.AudioResampler(stream.format.name, "mono", rate_hz)
            samples = np.frombuffer(float_to_pcm16(audio), "<i2")[None]
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate = SAMPLE_RATE_HZ
            for part in (*resampler.resample(frame), *resampler.resample(None)):
                sink.mux(stream.encode(part))
            sink.mux(stream.encode(None))
        file.seek(0)
        with av.open(file, "r") as source:
            back = av.AudioResampler("flt", "mono", SAMPLE_RATE_HZ)
            frames = source.decode(audio=0)
            parts = [out for each in frames for out in back.resample(each)]
            parts += back.resample(None)
        return np.concatenate([part.to_ndarray()[0] for part in parts]).astype(np.float32)

    return attack


def through(rate_hz: int) -> Attack:
    """An attack that resamples to `rate_hz` and back."""
    return lambda audio: resample(resample(audio, SAMPLE_RATE_HZ, rate_hz), rate_hz, SAMPLE_RATE_HZ)


def noisy(snr_db: float) -> Attack:
    """An attack that adds white noise, `snr_db` below the clip's mean power."""

    def attack(audio: Audio) -> Audio:
        noise = np.random.default_rng(0).normal(size=len(audio))
        level = np.sqrt(np.mean(audio.astype(np.float64) ** 2)) * 10 ** (-snr_db / 20)
        out: Audio = (audio + noise * level).astype(np.float32)
        return out

    return attack


def cut(seconds: float) -> Attack:
    """An attack that leaves a piece from the middle, off the frames' grid."""

    def attack(audio: Audio) -> Audio:
        size = min(len(audio), int(seconds * SAMPLE_RATE_HZ))
        start = (len(audio) - size) // 2 | 1
        return audio[start : start + size]

    return attack


ATTACKS: Final[dict[str, Attack]] = {
    "AAC 128 kbit/s": coded("aac", "adts", 128),
    "AAC 96 kbit/s": coded("aac", "adts", 96),
    "AAC 64 kbit/s": coded("aac", "adts", 64),
    "AAC 32 kbit/s": coded("aac", "adts", 32),
    "Opus 32 kbit/s": coded("libopus", "ogg", 32, rate_hz=48_000),
    "Opus 24 kbit/s": coded("libopus", "ogg", 24, rate_hz=48_000),
    "Opus 16 kbit/s": coded("libopus", "ogg", 16, rate_hz=48_000),
    "MP3 64 kbit/s": coded("libmp3lame", "mp3", 64),
    "MP3 48 kbit/s": coded("libmp3lame", "mp3", 48),
    "MP3 32 kbit/s": coded("libmp3lame", "mp3", 32),
    "at 44.1 kHz": through(44_100),
    "at 16 kHz": through(16_000),
    "at 8 kHz": through(8_000),
    "20 dB softer": lambda audio: audio * np.float32(0.1),
    "3 dB louder, clipped": lambda audio: np.clip(audio * np.float32(1.41), -1, 1),
    "noise at 30 dB": noisy(30),
    "noise at 20 dB": noisy(20),
    "noise at 15 dB": noisy(15),
    "cut to 4 s": cut(4),
    "cut to 3 s": cut(3),
    "cut to 2 s": cut(2),
    "cut to 1.5 s": cut(1.5),
    "0.5 % faster": lambda audio: resample(audio, 24_120, 24_000),
    "Opus 24, AAC 64, 16 kHz": lambda audio: through(16_000)(
        ATTACKS["AAC 64 kbit/s"](ATTACKS["Opus 24 kbit/s"](audio))
    ),
}
