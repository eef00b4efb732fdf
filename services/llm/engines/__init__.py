"""The engines, by name. Their libraries are imported only when they are chosen."""

from collections.abc import Callable

from parley.engines import LlmEngine
from parley.errors import EngineUnavailable
from services.llm.config import LlmSettings


def _notes(settings: LlmSettings) -> LlmEngine:
    from services.llm.engines.notes import NotesEngine

    return NotesEngine(settings.avatars_dir, policy=settings.policy)


def _vllm(settings: LlmSettings) -> LlmEngine:
    from services.llm.engines.vllm import VllmEngine

    return VllmEngine(settings)


def _transformer(settings: LlmSettings) -> LlmEngine:
    from services.llm.engines.transformer import TransformerEngine

    return TransformerEngine(settings)


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
