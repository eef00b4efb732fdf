"""The engines, by name. Their libraries are imported only when they are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from parley.engines import LlmEngine
from parley.errors import EngineUnavailable
from services.llm.config import LlmSettings

if TYPE_CHECKING:
    from services.llm.notes.embedder import Embedder


def _notes(settings: LlmSettings) -> LlmEngine:
    from services.llm.engines.notes import NotesEngine

    with _embedder(settings) as embedder:
        return NotesEngine(settings.avatars_dir, embedder, policy=settings.policy)


def _vllm(settings: LlmSettings) -> LlmEngine:
    from services.llm.engines.vllm import VllmEngine

    with _embedder(settings) as embedder:
        return VllmEngine(settings, embedder)


def _transformer(settings: LlmSettings) -> LlmEngine:
    from services.llm.engines.transformer import TransformerEngine

    with _embedder(settings) as embedder:
        return TransformerEngine(settings, embedder)


@contextmanager
def _embedder(settings: LlmSettings) -> Iterator[Embedder]:
    """For an engine that reads all notes when it is built; their vectors are kept for the next start."""
    from services.llm.notes.embedder import Embedder

    embedder = Embedder(cache=settings.cache_dir / "notes.npz")
    yield embedder
    embedder.keep()


def _fake(settings: LlmSettings) -> LlmEngine:
    from services.llm.engines.fake import FakeEngine

    return FakeEngine([settings.fake_reply], delay_s=settings.fake_delay_s)


ENGINES: dict[str, Callable[[LlmSettings], LlmEngine]] = {
    "notes": _notes,
    "vllm": _vllm,
    "transformer": _transformer,
    "fake": _fake,
}


def load(name: str, settings: LlmSettings) -> LlmEngine:
    """Builds the engine called `name`.

    Raises:
        EngineUnavailable: There is no such engine, or it cannot run here; the message names the fix.
    """
    if name not in ENGINES:
        raise EngineUnavailable(
            f"There is no llm engine named {name!r}.",
            fix=f"Set PARLEY_LLM_ENGINE to one of: {', '.join(ENGINES)}.",
        )
    return ENGINES[name](settings)
