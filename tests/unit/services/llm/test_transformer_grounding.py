import asyncio
from pathlib import Path

import numpy as np

from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from services.llm.config import LlmSettings
from services.llm.engines.transformer import TransformerEngine
from services.llm.engines.transformer_grounding import Grounding
from tests.unit.services.llm.model_server import embedder

END, TINY = 0, Path(__file__).with_name("tiny_transformer")
WORDS = {word: at for at, word in enumerate("END One two. Three four. I do not know.".split())}


def encode(text: str) -> list[int]:
    return [WORDS[word] for word in text.split()]


def following(grounding: Grounding, bias: float = 0.0) -> set[str]:
    held = grounding.held(np.zeros(len(WORDS), np.float32), bias)
    return {word for word, at in WORDS.items() if np.isfinite(held[at])}


def test_a_reply_is_whole_sentences_in_their_order() -> None:
    grounding = Grounding(["One two. Three four."], ["I do not know."], encode, END)
    assert following(grounding) == {"One", "Three", "I"}
    grounding.take(WORDS["One"])
    assert following(grounding) == {"two."}
    grounding.take(WORDS["two."])
    assert following(grounding) == {"Three", "END"}
    for word in ("Three", "four."):
        grounding.take(WORDS[word])
    assert following(grounding) == {"END"}


def test_not_knowing_can_be_made_less_likely_where_it_parts_from_what_is_told() -> None:
    grounding = Grounding(["I know."], ["I do not know."], encode, END)
    held = grounding.held(np.zeros(len(WORDS), np.float32), -2.0)
    assert held[WORDS["I"]] == 0.0
    grounding.take(WORDS["I"])
    held = grounding.held(np.zeros(len(WORDS), np.float32), -2.0)
    assert (held[WORDS["know."]], held[WORDS["do"]]) == (0.0, -2.0)


def test_even_a_random_model_says_only_what_stands_in_the_notes() -> None:
    engine = TransformerEngine(
        LlmSettings(transformer=TINY, avatars_dir=REPOSITORY / "avatars", transformer_unknown_bias=-99),
        embedder(),
    )

    async def said(*texts: str) -> str:
        roles = (pb.ROLE_USER, pb.ROLE_ASSISTANT)
        history = [pb.Message(role=roles[at % 2], text=text) for at, text in enumerate(texts)]
        turn = pb.Turn(avatar="mira", history=history, max_output_tokens=400)
        return "".join([delta.text async for delta in engine.generate(turn)])

    first = asyncio.run(said("how do i make green tea"))
    notes = "".join((REPOSITORY / "avatars" / "mira" / "notes" / "tea.md").read_text())
    assert first and all(sentence in notes for sentence in first.removesuffix(".").split(". "))
    more = asyncio.run(said("how do i make green tea", first, "tell me more"))
    assert more and all(sentence in notes for sentence in more.removesuffix(".").split(". "))
