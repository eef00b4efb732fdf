"""The engines, by name. Their libraries are imported only when they are chosen."""

from collections.abc import Callable

from parley.avatars import load_avatar, version_of
from parley.engines import FaceEngine
from parley.errors import EngineUnavailable
from services.sda.config import SdaSettings


def _visemes(settings: SdaSettings) -> FaceEngine:
    from services.sda.engines.visemes import VisemesEngine

    return VisemesEngine(settings.avatars_dir)


def _gan(settings: SdaSettings) -> FaceEngine:
    from services.sda.engines.gan import GanEngine

    return GanEngine(settings.avatars_dir, batch=settings.batch)


def _animated(settings: SdaSettings) -> FaceEngine:
    from services.sda.engines.animated import AnimatedEngine

    return AnimatedEngine(settings.avatars_dir, batch=settings.batch)


def _fake(settings: SdaSettings) -> FaceEngine:
    from services.sda.engines.fake import FakeEngine

    return FakeEngine()


ENGINES: dict[str, Callable[[SdaSettings], FaceEngine]] = {
    "visemes": _visemes,
    "gan": _gan,
    "animated": _animated,
    "fake": _fake,
}
DEFAULT = "gan"


def load(name: str, settings: SdaSettings) -> FaceEngine:
    """Builds an engine.

    Raises:
        EngineUnavailable: No such engine, or it cannot run here.
    """
    if name not in ENGINES:
        known = ", ".join(["auto", *ENGINES])
        raise EngineUnavailable(
            f"There is no sda engine {name!r}.", fix=f"Set PARLEY_SDA_ENGINE to one of: {known}."
        )
    return ENGINES[name](settings)


class Faces:
    """Which engine draws which avatar. One instance per process; engines are built once.

    Args:
        settings: `engine` "auto" goes by each avatar's manifest.

    Raises:
        EngineUnavailable: The engine (for "auto": the default one) cannot run here.
    """

    def __init__(self, settings: SdaSettings) -> None:
        self._settings = settings
        self._forced = settings.engine != "auto"
        first = settings.engine if self._forced else DEFAULT
        self._engines = {first: load(first, settings)}
        self.default = self._engines[first]

    def version(self, avatar: str) -> int:
        """Another number whenever the avatar has changed; 0: there is none."""
        return version_of(self._settings.avatars_dir, avatar)

    def engine(self, avatar: str) -> FaceEngine:
        """The engine that draws `avatar`.

        Raises:
            UnknownAvatar: No such avatar.
            EngineUnavailable: Its engine cannot run here.
        """
        if self._forced:
            return self.default
        wanted = load_avatar(self._settings.avatars_dir, avatar).face.engine
        if wanted not in self._engines:
            self._engines[wanted] = load(wanted, self._settings)
        return self._engines[wanted]

    def cheaper(self, avatar: str) -> FaceEngine:
        """The engine to draw `avatar` with when the machine cannot keep up: its bank's, if it has one."""
        about = load_avatar(self._settings.avatars_dir, avatar)
        if self._forced or not (about.folder / about.face.bank).is_file():
            return self.engine(avatar)
        if "visemes" not in self._engines:
            self._engines["visemes"] = load("visemes", self._settings)
        return self._engines["visemes"]
