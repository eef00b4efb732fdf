"""Which voice speaks a reply, and how loud that voice is by nature."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from parley.avatars import list_avatars, load_avatar
from parley.engines import TtsEngine
from parley.errors import BadRequest, EngineUnavailable
from services.tts.lexicon import Lexicon
from services.tts.shaping import gain_for

log = logging.getLogger(__name__)

# Two of the Harvard sentences: many phones, loud and soft ones, in speech of ordinary length.
CALIBRATION = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background."
_NO_WORDS = Lexicon({})


@dataclass(frozen=True, slots=True)
class Speaker:
    """All that decides how a reply sounds.

    Attributes:
        voice: As the engine names it.
        speed: 0.5…2, 1 is the voice's own.
        gain: Factor that brings the voice to the common loudness.
        lexicon: The avatar's words.
        watermark: 16 bits that the speech carries inaudibly; None: it is not marked.
    """

    voice: str
    speed: float = 1.0
    gain: float = 1.0
    lexicon: Lexicon = _NO_WORDS
    watermark: int | None = None


class Casting:
    """Finds the voice for an avatar or a name, and measures each voice once.

    Args:
        engine: The engine in use. "embedded" speaks with the engine that an avatar names; any other engine
            speaks for all avatars, with its first voice for those that name a voice of another engine.
        avatars_dir: Where the avatars are.
        watermark: Of every speaker.
    """

    def __init__(self, engine: TtsEngine, avatars_dir: Path, *, watermark: int | None = None) -> None:
        self.engine = engine
        self._watermark = watermark
        self._avatars_dir = avatars_dir
        self._gains: dict[str, float] = {}
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Measures the voices of all installed avatars, so that no first reply has to wait for it.

        An avatar whose voice is missing is logged; asking for it fails later with the same message.
        """
        for avatar in list_avatars(self._avatars_dir):
            try:
                self.speaker(avatar.name)
            except EngineUnavailable as error:
                log.warning("an avatar has no voice", extra={"avatar": avatar.name, "reason": str(error)})

    def speaker(self, avatar: str = "", *, voice: str = "", speed: float = 0.0) -> Speaker:
        """How to speak. Takes up to a second when the voice is used for the first time.

        Args:
            avatar: Name of an avatar; may be empty when `voice` is given.
            voice: Name of a voice, "slt" or "festival/slt"; empty: the avatar's.
            speed: 0.5…2; 0: the avatar's.

        Raises:
            UnknownAvatar: There is no such avatar.
            BadRequest: There is no such voice, neither is given, or the speed is out of range.
            EngineUnavailable: The avatar's voice is not installed.
        """
        if not avatar and not voice:
            raise BadRequest("Neither an avatar nor a voice was named.", fix="Name one of them.")
        if speed and not 0.5 <= speed <= 2.0:
            raise BadRequest(f"A speed of {speed:g} is out of range.", fix="Ask for 0.5 to 2.")
        manifest = load_avatar(self._avatars_dir, avatar) if avatar else None
        if voice:
            name = self._by_name(voice)
        else:
            assert manifest is not None
            name = self._by_manifest(manifest.voice.engine, manifest.voice.voice)
        return Speaker(
            voice=name,
            speed=speed or (manifest.voice.speed if manifest and not voice else 1.0),
            gain=self._gain(name),
            lexicon=Lexicon(manifest.lexicon) if manifest else _NO_WORDS,
            watermark=self._watermark,
        )

    def _by_name(self, voice: str) -> str:
        known = self.engine.voices()
        found = next((v for v in known if voice in (v, v.rpartition("/")[2])), None)
        if found is None:
            raise BadRequest(f"There is no voice {voice!r}.", fix=f"Choose one of {', '.join(known)}.")
        return found

    def _by_manifest(self, engine: str, voice: str) -> str:
        known = self.engine.voices()
        if self.engine.name == "embedded":
            return f"{engine}/{voice}"  # the engine says which package is missing, if one is
        if engine == self.engine.name:
            return voice
        return known[0]

    def _gain(self, voice: str) -> float:
        with self._lock:
            if voice not in self._gains:
                chunks = self.engine.synthesize(CALIBRATION, voice=voice)
                self._gains[voice] = gain_for(chunk.audio for chunk in chunks)
                log.info("voice measured", extra={"voice": voice, "gain": round(self._gains[voice], 2)})
            return self._gains[voice]
