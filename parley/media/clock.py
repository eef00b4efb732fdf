"""The one media clock: 24 000 Hz samples from a reply's first sample; 25 fps; 960 samples a frame."""

from typing import Final

SAMPLE_RATE_HZ: Final = 24_000
FPS: Final = 25
FRAME_SAMPLES: Final = SAMPLE_RATE_HZ // FPS
FRAME_MS: Final = 1000 // FPS
BYTES_PER_SAMPLE: Final = 2


def samples_to_ms(samples: int) -> float:
    """Duration of `samples` on the media clock, in milliseconds."""
    return samples * 1000 / SAMPLE_RATE_HZ


def ms_to_samples(ms: float) -> int:
    """Media-clock samples in `ms` milliseconds, rounded to the nearest."""
    return round(ms * SAMPLE_RATE_HZ / 1000)


def frame_index(pts_samples: int) -> int:
    """Number of the video frame that shows the instant `pts_samples`."""
    return pts_samples // FRAME_SAMPLES
