"""Spoils speech the way the world does, without moving it in time: noise, rooms, narrow lines, codecs."""

import numpy as np
from numpy.typing import NDArray

from parley.engines import Audio
from parley.media.clock import SAMPLE_RATE_HZ

Floats = NDArray[np.float32]


def audio(speech: Audio, random: np.random.Generator) -> Audio:
    """One of many ways in which `speech` (float32 [n], 24 kHz) may reach us; same length, same timing."""
    out = speech * 10 ** (float(random.uniform(-12, 6)) / 20)
    if random.random() < 0.35:
        out = room(out, random)
    if random.random() < 0.6:
        out = noisy(out, random)
    if random.random() < 0.3:
        out = narrow(out, float(random.uniform(60, 350)), float(random.uniform(3000, 7000)))
    if random.random() < 0.2:
        out = mu_law(narrow(out, 200, 3700))
    clipped: Audio = np.clip(out, -1, 1).astype(np.float32)
    return clipped


def room(speech: Audio, random: np.random.Generator) -> Audio:
    """Reverberation: the direct sound stays first and loudest, so timing is kept."""
    seconds = float(random.uniform(0.08, 0.5))
    n = int(seconds * SAMPLE_RATE_HZ)
    tail = random.normal(0, 1, n) * np.exp(-6.9 * np.arange(n) / n)
    tail[: SAMPLE_RATE_HZ // 400] = 0
    tail *= float(random.uniform(0.1, 0.5)) / np.sqrt((tail**2).sum() + 1e-9)
    tail[0] = 1.0
    size = 1 << (len(speech) + n - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(speech, size) * np.fft.rfft(tail, size), size)[: len(speech)]
    return wet.astype(np.float32)


def noisy(speech: Audio, random: np.random.Generator) -> Audio:
    """Coloured noise, 5 to 40 dB below the speech."""
    level = float(np.sqrt(np.mean(speech**2))) + 1e-4
    spectrum = np.fft.rfft(random.normal(0, 1, len(speech)))
    slope = float(random.uniform(-1, 0))  # 0 white, -1 brown
    spectrum *= np.maximum(np.arange(len(spectrum)), 1.0) ** slope
    noise = np.fft.irfft(spectrum, len(speech))
    noise *= level * 10 ** (-float(random.uniform(5, 40)) / 20) / (np.sqrt(np.mean(noise**2)) + 1e-9)
    return (speech + noise).astype(np.float32)


def narrow(speech: Audio, low_hz: float, high_hz: float) -> Audio:
    """A line that carries only some frequencies, with soft edges; zero phase, so nothing moves."""
    hz = np.fft.rfftfreq(len(speech), 1 / SAMPLE_RATE_HZ)
    gain = 1 / (1 + (low_hz / np.maximum(hz, 1)) ** 8) / (1 + (hz / high_hz) ** 16)
    return np.fft.irfft(np.fft.rfft(speech) * gain, len(speech)).astype(np.float32)


def mu_law(speech: Audio) -> Audio:
    """The telephone's 8 bits (ITU-T G.711)."""
    squeezed = np.sign(speech) * np.log1p(255 * np.minimum(np.abs(speech), 1)) / np.log(256)
    coarse = np.round(squeezed * 127) / 127
    spoilt: Audio = (np.sign(coarse) * (256 ** np.abs(coarse) - 1) / 255).astype(np.float32)
    return spoilt


def warped(mel: Floats, random: np.random.Generator) -> Floats:
    """Another vocal tract: frequencies stretched by up to a tenth (Jaitly and Hinton, 2013). [hops, mels]."""
    mels = mel.shape[1]
    at = np.clip(np.arange(mels) * float(random.uniform(0.9, 1.1)), 0, mels - 1.001)
    low = at.astype(int)
    share = (at - low).astype(np.float32)
    out: Floats = mel[:, low] * (1 - share) + mel[:, low + 1] * share
    return out


def paced(values: Floats, speed: float) -> Floats:
    """Values along time (axis 0) played `speed` times as fast, by linear interpolation."""
    at = np.arange(int(len(values) / speed)) * speed
    low = np.minimum(at.astype(int), len(values) - 2)
    share = (at - low).astype(np.float32)[:, None]
    out: Floats = values[low] * (1 - share) + values[low + 1] * share
    return out
