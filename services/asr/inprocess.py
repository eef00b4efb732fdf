"""Ears without gRPC, for an avatar that lives in one process."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from parley.conversation.interface import EarStream
from parley.engines import AsrEngine
from parley.settings import Settings
from proto.parley.v1 import asr_pb2 as pb
from services.asr.session import open_session


class LocalEars:
    """Implements `parley.conversation.interface.Ears` on an engine in this process."""

    def __init__(
        self, engine: AsrEngine, *, avatars_dir: Path | None = None, threshold: float = 0.5, threads: int = 2
    ) -> None:
        """Takes the engine.

        Args:
            engine: The recogniser, as made by `services.asr.engines.load`.
            avatars_dir: Where avatars' lexicons are; None: as in the settings.
            threshold: Probability that counts as speech, where a session's config names none.
            threads: Sessions whose speech is recognised at the same moment.
        """
        self._engine = engine
        self._avatars_dir = avatars_dir or Settings().avatars_dir
        self._threshold = threshold
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="ears")

    async def open(self, config: pb.ListenConfig) -> EarStream:
        """Opens a listening stream. See `services.asr.session.open_session` for what it raises."""
        return await open_session(
            self._engine,
            config,
            executor=self._executor,
            avatars_dir=self._avatars_dir,
            threshold=self._threshold,
        )

    def close(self) -> None:
        """Ends the threads; streams must be closed before."""
        self._executor.shutdown()
