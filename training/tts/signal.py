# mypy: disable-error-code="import-not-found, no-any-return"
"""What `services.tts.fastpitch` does to samples and frames, once more in PyTorch, so that gradients pass."""

import torch
from torch import Tensor
from torch.nn import functional as F

from services.tts.fastpitch import frames
from services.tts.fastpitch.frames import EDGE, FFT, HOP

RESOLUTIONS = ((512, 120), (1024, 240), (2048, 480))  # window, hop


def spectrum(audio: Tensor) -> Tensor:
    """Like `frames.spectrum`: float [batch, frames * HOP] to complex [batch, frames, BINS]."""
    windows = F.pad(audio, (EDGE, EDGE)).unfold(1, FFT, HOP)
    return torch.fft.rfft(windows * torch.from_numpy(frames.WINDOW).to(audio.device))


def samples(spectra: Tensor) -> Tensor:
    """Like `frames.OverlapAdd`: complex [batch, frames, BINS] to float [batch, frames * HOP]."""
    window = torch.from_numpy(frames.WINDOW).to(spectra.device)
    windows = torch.fft.irfft(spectra, FFT) * window
    count = windows.shape[1]
    length = (count - 1) * HOP + FFT
    fold = {"output_size": (1, length), "kernel_size": (1, FFT), "stride": (1, HOP)}
    summed = F.fold(windows.transpose(1, 2), **fold)[:, 0, 0]
    weight = F.fold((window**2)[None, :, None].expand(1, FFT, count), **fold)[:, 0, 0]
    return (summed / weight.clamp(min=1e-3))[:, EDGE : EDGE + count * HOP]


def mel(audio: Tensor) -> Tensor:
    """Like `frames.mel`: float [batch, frames * HOP] to [batch, frames, MELS]."""
    power = spectrum(audio).abs() ** 2
    return (
        torch.log(torch.sqrt(power + 1e-9) @ torch.from_numpy(frames.filters()).to(audio.device) + 1e-4) / 3
        + 1
    )


def spectrogram(audio: Tensor, window: int, hop: int) -> Tensor:
    """Magnitudes, float [batch, frames, bins], of float [batch, n]."""
    shape = torch.hann_window(window, device=audio.device)
    made = torch.stft(audio, window, hop, window=shape, return_complex=True)
    return (made.real**2 + made.imag**2 + 1e-9).sqrt().transpose(1, 2)


def distance(made: Tensor, real: Tensor) -> Tensor:
    """Multi-resolution STFT loss: spectral convergence and log magnitude (arXiv 1910.11480)."""
    total = torch.zeros((), device=made.device)
    for window, hop in RESOLUTIONS:
        a, b = spectrogram(made, window, hop), spectrogram(real, window, hop)
        total = (
            total
            + (a - b).norm() / b.norm()
            + (a.clamp(min=1e-3).log() - b.clamp(min=1e-3).log()).abs().mean()
        )
    return total / len(RESOLUTIONS)
