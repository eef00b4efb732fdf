"""English text made speakable: `normalize` writes out everything that is not a plain word."""

from services.tts.text.normalizer import normalize

__all__ = ["normalize"]
