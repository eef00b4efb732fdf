"""What is taken from strangers; the same numbers on both sides of the pipe."""

from typing import Final

REFUSED: Final = 3  # the exit status of a file that is refused
# No playlists and no lists of files: they make FFmpeg open what they name.
FORMATS: Final = (
    "wav,w64,mp3,ogg,flac,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,aac,aiff,caf,amr,asf,au,mpegts,mpeg"
)
MOST_CHANNELS: Final = 8
RATES_HZ: Final = (4_000, 384_001)
PICTURE_BYTES: Final = 20 << 20
PICTURE_PIXELS: Final = 40_000_000
# Of what an avatar is made of.
SPEECH_S: Final = (3.0, 60.0)
SPEECH_BYTES: Final = 20 << 20
TEXT_BYTES: Final = 1 << 20
