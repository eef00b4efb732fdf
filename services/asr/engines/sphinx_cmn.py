"""The mean cepstrum of a speaker and microphone, known early.

pocketsphinx subtracts the mean cepstrum from its features. Live, it begins with a guess that weighs as much
as five seconds of speech, which costs a newcomer's first sentence a third of its accuracy. Here the
decoder's own running sum is read back after every piece of audio, and its mean is set to what was really
heard, with a light prior.
"""

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

# Mean over human recordings, telephone prompts and synthetic voices, through the bundled model's front end.
_PRIOR: Final = (54.0, 5.5, 4.5, 16.8, -4.0, 3.2, -2.5, -1.6, 0.8, -1.4, 1.1, -0.7, 1.8)
_PRIOR_FRAMES: Final = 100
_MEMORY_FRAMES: Final = 3_000
# pocketsphinx gives every mean that is set the weight of this many frames (CMN_WIN).
_DECODER_FRAMES: Final = 500


class CmnDecoder(Protocol):
    """The part of a pocketsphinx decoder that is needed here."""

    def get_cmn(self, update: bool = False) -> str: ...
    def set_cmn(self, cmn: str) -> None: ...
    def n_frames(self) -> int: ...


class CepstralMean:
    """What is known of one session's mean cepstrum, from turn to turn."""

    def __init__(self) -> None:
        self._sum: NDArray[np.float64] = np.zeros(len(_PRIOR))
        self._frames = 0.0
        self._base = np.asarray(_PRIOR, np.float64)
        self._seen = 0

    def begin(self, decoder: CmnDecoder) -> None:
        """Sets the decoder's mean; call after `start_utt`."""
        self._seen = 0
        self._set(decoder)

    def learn(self, decoder: CmnDecoder) -> None:
        """Takes in what the decoder has heard since the last call, and corrects its mean."""
        frames = decoder.n_frames()
        new = frames - self._seen
        if new <= 0:
            return
        running = np.array([float(x) for x in decoder.get_cmn(True).split(",")])
        self._sum = self._sum + running * (_DECODER_FRAMES + new) - self._base * _DECODER_FRAMES
        self._frames += new
        self._seen = frames
        if self._frames > _MEMORY_FRAMES:
            self._sum, self._frames = self._sum * _MEMORY_FRAMES / self._frames, float(_MEMORY_FRAMES)
        self._set(decoder)

    def _mean(self) -> NDArray[np.float64]:
        return (np.asarray(_PRIOR) * _PRIOR_FRAMES + self._sum) / (_PRIOR_FRAMES + self._frames)

    def _set(self, decoder: CmnDecoder) -> None:
        self._base = self._mean()
        decoder.set_cmn(",".join(f"{x:.4f}" for x in self._base))
