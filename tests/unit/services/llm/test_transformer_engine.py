"""The transformer engine with a model of a few thousand random weights: what it says means nothing."""

import asyncio
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from parley.errors import EngineUnavailable
from parley.settings import REPOSITORY
from proto.parley.v1 import chain_pb2 as pb
from services.llm.config import LlmSettings
from services.llm.engines import load
from services.llm.engines.transformer import TALKS_KEPT, Talks, TransformerEngine
from services.llm.engines.transformer_model import LORA_TARGETS, TransformerModel
from services.llm.replies import reply_pieces
from tests.unit.services.llm.model_server import embedder

TINY = Path(__file__).with_name("tiny_transformer")
AVATARS = REPOSITORY / "avatars"


@pytest.fixture
def engine() -> TransformerEngine:
    return TransformerEngine(
        LlmSettings(transformer=TINY, avatars_dir=AVATARS, transformer_grounded=False), embedder()
    )


@pytest.fixture
def own_avatars(tmp_path: Path) -> Iterator[Path]:
    shutil.copytree(AVATARS / "mira", tmp_path / "mira", ignore=shutil.ignore_patterns("face"))
    yield tmp_path


def turn(*texts: str, tokens: int = 12, avatar: str = "mira") -> pb.Turn:
    roles = (pb.ROLE_USER, pb.ROLE_ASSISTANT)
    history = [pb.Message(role=roles[at % 2], text=text) for at, text in enumerate(texts)]
    return pb.Turn(avatar=avatar, history=history, max_output_tokens=tokens)


async def said(engine: TransformerEngine, work: pb.Turn, spoken: str = "") -> str:
    return "".join([delta.text async for delta in engine.generate(work, spoken=spoken)])


def random_adapter(path: Path, seed: int) -> None:
    net, random = TransformerModel(TINY), np.random.default_rng(seed)
    arrays = {}
    for name in LORA_TARGETS:
        for part in "ab":
            shape = net._plain[f"{name}.{part}"].shape
            shape = tuple(4 if size == 1 else size for size in shape)
            arrays[f"{name}.{part}"] = random.normal(0, 0.5, shape).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)


def test_reading_in_pieces_is_reading_at_once() -> None:
    net = TransformerModel(TINY)
    ids = np.random.default_rng(1).integers(20, 280, 40)
    whole, past = net.read(ids, net.nothing())
    first, half = net.read(ids[:25], net.nothing())
    rest, joined = net.read(ids[25:], half)
    assert len(past) == len(joined) == 40
    assert float(np.corrcoef(whole, rest)[0, 1]) > 0.95  # activations are quantised piece by piece
    assert float(np.corrcoef(first, rest)[0, 1]) < 0.9


async def test_streams_deltas_and_the_reply_is_the_same_each_time(engine: TransformerEngine) -> None:
    deltas = [delta async for delta in engine.generate(turn("what is the north star"))]
    assert len([delta for delta in deltas if delta.text]) > 3
    text = "".join(delta.text for delta in deltas)
    assert text and "<|" not in text
    assert await said(engine, turn("what is the north star")) == text
    pieces = [piece async for piece in reply_pieces(engine, turn("what is the north star"))]
    assert pieces[-1].last


async def test_a_talk_that_goes_on_reads_only_what_is_new(
    engine: TransformerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    plain = TransformerModel.read

    def counted(self, ids, past, adapter=None):
        read.append(len(ids))
        return plain(self, ids, past, adapter)

    monkeypatch.setattr(TransformerModel, "read", counted)
    first = await said(engine, turn("what is the north star"))
    begun = read[0]
    read.clear()
    await said(engine, turn("what is the north star", first, "and what is oolong tea"))
    going_on = read[0]
    read.clear()
    engine._talks = Talks()
    await said(engine, turn("what is the north star", first, "and what is oolong tea"))
    assert read[0] >= begun + going_on - 2
    assert going_on < read[0] / 1.5


async def test_two_talks_with_the_same_beginning_do_not_change_each_other(engine: TransformerEngine) -> None:
    one, other = turn("hello", "hi", "what is tea"), turn("hello", "hi", "what is a black hole")
    alone = await said(engine, one), await said(engine, other)
    engine._talks = Talks()
    together = await asyncio.gather(said(engine, other), said(engine, one))
    assert (together[1], together[0]) == alone


async def test_closing_the_iterator_stops_the_model(
    engine: TransformerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    plain = TransformerModel.read

    def counted(self, ids, past, adapter=None):
        nonlocal reads
        reads += 1
        return plain(self, ids, past, adapter)

    monkeypatch.setattr(TransformerModel, "read", counted)
    async with aclosing(engine.generate(turn("hello", tokens=200))) as deltas:
        await anext(deltas)
    stopped = reads
    await asyncio.sleep(0.2)
    assert reads == stopped < 200


async def test_the_model_never_runs_on_the_event_loop(
    engine: TransformerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()
    plain = TransformerModel.read

    def slow(self, ids, past, adapter=None):
        threads.add(threading.get_ident())
        time.sleep(0.02)
        return plain(self, ids, past, adapter)

    monkeypatch.setattr(TransformerModel, "read", slow)
    await said(engine, turn("what is the north star"))
    assert threads and threading.get_ident() not in threads


async def test_a_take_over_goes_on_after_what_was_said(
    engine: TransformerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    plain = TransformerModel.read

    def noted(self, ids, past, adapter=None):
        read.extend(ids.tolist())
        return plain(self, ids, past, adapter)

    monkeypatch.setattr(TransformerModel, "read", noted)
    rest = await said(engine, turn("what is the north star", tokens=1), spoken="It stands")
    text = engine._net.tokenizer.decode(read, skip_special_tokens=False)
    assert text.endswith("<|ask|>what is the north star<|assistant|>It stands")
    assert not rest.startswith("It stands")


async def test_policy_clock_and_sums_are_no_matter_for_the_model(engine: TransformerEngine) -> None:
    refused = [delta async for delta in engine.generate(turn("how do i make a bomb"))]
    assert refused[0].text.startswith("I won't help with that")
    assert refused[0].citations == ["policy/hurting-others"]
    assert "twelve" in await said(engine, turn("what is five plus seven"))


async def test_an_adapter_is_swapped_at_run_time(own_avatars: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(TINY, tmp_path / "served")
    random_adapter(folder / "adapters" / "one.npz", 1)
    random_adapter(folder / "adapters" / "two.npz", 2)
    engine = TransformerEngine(
        LlmSettings(transformer=folder, avatars_dir=own_avatars, transformer_grounded=False), embedder()
    )
    manifest = own_avatars / "mira" / "avatar.yaml"
    plain, replies = manifest.read_text(), []
    for number, name in enumerate(("", "one", "two", "")):
        manifest.write_text(f"{plain}mind:\n  adapter: {name!r}\n" if name else plain)
        manifest.touch()
        replies.append(await said(engine, turn("what is the north star", tokens=30)))
        assert number == 0 or name == "" or replies[-1] != replies[0]
    assert replies[1] != replies[2] and replies[3] == replies[0]


async def test_a_missing_adapter_and_one_of_another_model_name_the_fix(
    own_avatars: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(TINY, tmp_path / "served")
    engine = TransformerEngine(
        LlmSettings(transformer=folder, avatars_dir=own_avatars, transformer_grounded=False), embedder()
    )
    manifest = own_avatars / "mira" / "avatar.yaml"
    manifest.write_text(f"{manifest.read_text()}mind:\n  adapter: mine\n")
    with pytest.raises(EngineUnavailable, match="export adapter"):
        await said(engine, turn("hello"))
    (folder / "adapters").mkdir()
    np.savez(folder / "adapters" / "mine.npz", **{"q_proj.a": np.zeros((9, 9, 9), np.float32)})
    with pytest.raises(EngineUnavailable, match="another model"):
        await said(engine, turn("hello"))


def test_missing_or_changed_weights_name_the_fix(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="PARLEY_LLM_TRANSFORMER"):
        load("transformer", LlmSettings(transformer=tmp_path))
    shutil.copytree(TINY, tmp_path / "served")
    (tmp_path / "served" / "tokenizer.json").write_text("{}")
    with pytest.raises(EngineUnavailable, match="manifest"):
        load("transformer", LlmSettings(transformer=tmp_path / "served"))


def test_what_was_computed_for_talks_is_bounded_and_forgotten() -> None:
    now = 0.0
    talks, past = Talks(now=lambda: now), TransformerModel(TINY).nothing()
    for number in range(TALKS_KEPT + 5):
        talks.keep(np.array([number, 1, 2]), past, "")
    assert len(talks) == TALKS_KEPT
    assert talks.begun(np.array([20, 1, 2, 3]), "") is not None
    assert talks.begun(np.array([20, 1, 2, 3]), "another") is None
    now = 1e6
    assert talks.begun(np.array([20, 1, 2, 3]), "") is None
    assert len(talks) == 0
