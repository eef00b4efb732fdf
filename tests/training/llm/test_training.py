"""The language model's trainer and export, on models that are trained in seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from parley.errors import ConfigError, EngineUnavailable
from parley.settings import REPOSITORY
from services.llm.engines.transformer_model import LORA_TARGETS, TransformerModel
from services.llm.engines.transformer_prompt import asked, rendered
from tests.training.llm.tiny_transformer import TEXT, make
from training.llm.base import make_tokenizer
from training.llm.batches import Batches, coded
from training.llm.config import Config, Lora, Sizes, load
from training.llm.examples import Example, freeze
from training.llm.export import export_adapter, export_model
from training.llm.models import build, from_nothing, load_model
from training.llm.train import Trainer

CPU = torch.device("cpu")


def example(number: int, rejected: str = "") -> Example:
    question = asked(f"how hot is {number}")
    messages = (("system", "A"), ("user", question), ("assistant", f"{number} leaves above the pole"))
    return Example(messages, f"s{number}", rejected)


@pytest.fixture
def told(tmp_path: Path) -> Config:
    make_tokenizer(iter(TEXT), size=300).save_pretrained(str(tmp_path / "tokenizer"))
    rows = [example(n, rejected="water") for n in range(24)]
    freeze(tmp_path / "corpus", {"train": rows, "dev": rows[:4]}, {})
    sizes = Sizes(tokenizer=tmp_path / "tokenizer", width=64, layers=2, inner=64, context=256)
    return Config(
        data=tmp_path / "corpus", out=tmp_path / "run", sizes=sizes, steps=12, batch_tokens=400, warmup=2,
        rate=0.003, muon_rate=0.005, context_weight=0.1, save_every=5,
    )  # fmt: skip


def changed(config: Config, **fields: Any) -> Config:
    return Config.model_validate(config.model_dump() | fields)


def test_a_run_that_was_stopped_at_every_step_ends_bit_for_bit_like_one_that_was_not(told: Config) -> None:
    whole, pieces = (changed(told, out=told.out / name) for name in "ab")
    assert Trainer(whole).run()
    stops = 0
    while not Trainer(pieces).run(minutes=0):
        stops += 1
    assert stops == told.steps - 1
    a, b = (torch.load(c.out / "state.pt", weights_only=True)["weights"] for c in (whole, pieces))
    assert a.keys() == b.keys() and len(a) > 15
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def test_training_lowers_perplexity_and_writes_a_model(told: Config) -> None:
    trainer = Trainer(changed(told, steps=40))
    before = trainer.perplexity()
    assert trainer.run()
    assert trainer.perplexity() < before / 5
    model, tokenizer = load_model(str(told.out / "model"), CPU)
    assert model.config.num_hidden_layers == 2 and tokenizer.chat_template


def test_lora_trains_the_adapter_alone_and_the_engine_says_what_peft_says(
    told: Config, tmp_path: Path
) -> None:
    base = make(tmp_path / "base")
    lora = changed(
        told, sizes=None, base=str(base), lora=Lora(rank=4, dropout=0.0), muon_rate=0, rate=0.02, bf16=False
    )
    assert Trainer(lora).run()
    adapted, tokenizer = load_model(str(told.out / "adapter"), CPU)
    plain, _ = load_model(str(base), CPU)
    own, other = dict(adapted.named_parameters()), dict(plain.named_parameters())
    name = "model.layers.0.self_attn.o_proj"
    assert torch.equal(own[f"base_model.model.{name}.base_layer.weight"], other[f"{name}.weight"])

    export_model(str(base), tmp_path / "served", licence="x", name="tiny")
    export_adapter(told.out / "adapter", tmp_path / "served" / "adapters" / "mine.npz")
    net = TransformerModel(tmp_path / "served")
    adapter = net.read_adapter(tmp_path / "served" / "adapters" / "mine.npz")
    assert len(adapter) == 2 * len(LORA_TARGETS)
    ids = np.array(tokenizer.encode(rendered(list(example(3).messages[:2]))))
    with torch.no_grad():
        wanted = adapted(torch.from_numpy(ids)[None]).logits[0, -1].numpy()
        unadapted = plain(torch.from_numpy(ids)[None]).logits[0, -1].numpy()
    found, without = net.read(ids, net.nothing(), adapter)[0], net.read(ids, net.nothing())[0]
    assert float(np.corrcoef(found, wanted)[0, 1]) > 0.95 > float(np.corrcoef(without, wanted)[0, 1])
    assert float(np.corrcoef(without, unadapted)[0, 1]) > 0.95


@pytest.mark.parametrize("lora", [None, Lora(rank=4, dropout=0.0)])
def test_dpo_learns_what_is_preferred(told: Config, tmp_path: Path, lora: Lora | None) -> None:
    base = str(make(tmp_path / "base"))
    trainer = Trainer(
        changed(told, sizes=None, base=base, lora=lora, lesson="prefer", muon_rate=0, rate=0.003, steps=25)
    )
    first = trainer.learn()
    assert first["loss"] == pytest.approx(np.log(2), abs=0.02)
    for _ in range(20):
        last = trainer.learn()
    assert last["loss"] < 0.6 * first["loss"] and last["right"] == 1.0


def test_a_model_from_nothing_copies_before_its_first_step() -> None:
    tokenizer = make_tokenizer(iter(TEXT), size=300)
    sequence = torch.randint(20, len(tokenizer), (4, 30), generator=torch.Generator().manual_seed(1))
    twice = torch.cat((sequence, sequence), 1)
    right = {}
    for copying in (True, False):
        sizes = Sizes(tokenizer=Path(), width=256, layers=2, inner=64, context=128, copying=copying)
        torch.manual_seed(1)
        with torch.no_grad():
            said = from_nothing(sizes, tokenizer)(twice).logits[:, 30:-1].argmax(-1)
        right[copying] = float((said == twice[:, 31:]).float().mean())
    assert right[True] > 0.3 > 0.05 > right[False]


def test_the_template_and_the_engine_write_the_same_prompt() -> None:
    tokenizer = make_tokenizer(iter(TEXT), size=300)
    talk = [*example(1).messages, ("user", asked("more"))]
    messages = [{"role": role, "content": content} for role, content in talk]
    written = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert written == rendered(talk)
    known = coded(example(1), tokenizer, 500)
    answer = tokenizer.decode(known.ids[known.own])
    assert answer == "1 leaves above the pole<|end|>"
    assert len(coded(example(1), tokenizer, 10).ids) == 10


def test_every_example_is_learnt_from_once_an_epoch() -> None:
    lengths = np.random.default_rng(1).integers(5, 60, 300).tolist()
    batches = Batches(lengths, 200, seed=1)
    seen: list[int] = []
    step = 0
    while len(seen) < len(lengths):
        rows = batches.of(step)
        assert len(rows) == 1 or len(rows) * max(lengths[at] for at in rows) <= 200
        seen += rows
        step += 1
    assert sorted(seen) == list(range(300))
    assert batches.of(3) == Batches(lengths, 200, seed=1).of(3)


def test_what_cannot_be_trained_or_exported_names_the_fix(told: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load_model(str(tmp_path / "nowhere"), CPU)
    four_bit = changed(told, sizes=None, base="x", lora=Lora(four_bit=True), muon_rate=0)
    with pytest.raises(EngineUnavailable, match="GPU"):
        build(four_bit, CPU)
    (tmp_path / "a.yaml").write_text("data: x\nout: y\nsteps: 3\n")
    with pytest.raises(ConfigError, match="either `base`"):
        load(tmp_path / "a.yaml")


@pytest.mark.parametrize("name", ["llm-base", "llm-avatars", "llm-brief", "llm-lora"])
def test_the_configs_of_the_repository_are_valid(name: str) -> None:
    assert load(REPOSITORY / "training" / "configs" / f"{name}.yaml").steps > 0
