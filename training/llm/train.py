# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Trains a language model, resumably: `parley train llm CONFIG [--minutes M]`.

One loop for three things: a base model from nothing, an avatar's fine-tune (all weights, LoRA, or QLoRA on a
GPU), and DPO on better and worse answers. Every number drawn comes from the seed and the step, so a run that
was stopped goes on bit for bit as if it had not been.
"""

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from training.llm.batches import Batches, Coded, coded, padded
from training.llm.config import Config, load
from training.llm.examples import Example, open_corpus
from training.llm.models import build, finish, reference, trained

_HELD_OUT_BATCH = 16
_LEAST_RATE = 0.02


class Trainer:
    """A run.

    Attributes:
        step: Steps done.

    Raises:
        ConfigError: Corpus or base model are missing.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        corpus = open_corpus(config.data)
        self.model, self.tokenizer = build(config, self.device)
        self._reference = reference(self.model) if config.lesson == "prefer" else None
        train = corpus.read("train")
        self._chosen = self._coded(train)
        self._rejected = self._coded([_worse(each) for each in train]) if self._reference else []
        lengths = [len(each.ids) for each in self._chosen]
        if self._reference:
            lengths = [2 * max(n, len(r.ids)) for n, r in zip(lengths, self._rejected, strict=True)]
        self._batches = Batches(lengths, config.batch_tokens, config.seed)
        self.held_out = self._coded(corpus.read("dev"))
        self._optimisers = _optimisers(config, self.model)
        self.step = 0
        if self.path.is_file():
            self._resume(torch.load(self.path, map_location=self.device, weights_only=True))

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.config.out / "state.pt"

    def run(self, minutes: float = float("inf"), board: SummaryWriter | None = None) -> bool:
        """Trains until done or out of time; returns whether it is done."""
        deadline = time.monotonic() + 60 * minutes
        began, first = time.monotonic(), self.step
        while self.step < self.config.steps:
            told = self.learn()
            late = time.monotonic() > deadline
            if late or self.step % self.config.save_every == 0:
                self.save()
            if board is not None:
                self._tell(board, told, (self.step - first) / (time.monotonic() - began))
            if late and self.step < self.config.steps:
                return False
        self.save()
        finish(self.model, self.tokenizer, self.config.out)
        return True

    def learn(self) -> dict[str, float]:
        """One step; returns its figures."""
        torch.manual_seed(int(np.random.SeedSequence((self.config.seed, self.step)).generate_state(1)[0]))
        self.model.train()
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * self._share()
        rows = self._batches.of(self.step)
        with self._autocast():
            told = self._prefer(rows) if self._reference else self._tell_apart(rows)
        loss = told["loss"]
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained(self.model), 1.0)
        for optimiser in self._optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        self.step += 1
        return {name: float(value.detach()) for name, value in told.items()} | {"norm": float(norm)}

    @torch.no_grad()
    def perplexity(self) -> float:
        """Of the avatar's words in held-out talks."""
        return perplexity(self.model, self.held_out, self.device)

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        self.config.out.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        state = {
            "weights": {n: p.detach() for n, p in self.model.named_parameters() if p.requires_grad},
            "optimisers": [each.state_dict() for each in self._optimisers],
            "step": self.step,
        }
        torch.save(state, part)
        os.replace(part, self.path)

    def _resume(self, state: dict[str, Any]) -> None:
        own = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in state["weights"].items():
                own[name].copy_(value)
        for optimiser, told in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(told)
        self.step = state["step"]

    def _coded(self, examples: list[Example]) -> list[Coded]:
        return [coded(each, self.tokenizer, self.config.length) for each in examples]

    def _share(self) -> float:
        """Of the peak rate: up, then down along a cosine."""
        config = self.config
        if self.step < config.warmup:
            return (self.step + 1) / config.warmup
        done = (self.step - config.warmup) / max(1, config.steps - config.warmup)
        return max(_LEAST_RATE, 0.5 * (1 + math.cos(math.pi * done)))

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16)

    def _tell_apart(self, rows: list[int]) -> dict[str, Tensor]:
        """Cross-entropy; the avatar's own words count 1, all others `context_weight`."""
        told, own, there = _losses(self.model, [self._chosen[at] for at in rows], self.device)
        weights = torch.where(own > 0, 1.0, self.config.context_weight) * there
        loss = (told * weights).sum() / weights.sum()
        return {"loss": loss, "answer": (told * own).sum() / own.sum()}

    def _prefer(self, rows: list[int]) -> dict[str, Tensor]:
        """Equation 7 of Rafailov et al. (arXiv 2305.18290), on the avatar's last answers."""
        chosen, rejected = ([each[at] for at in rows] for each in (self._chosen, self._rejected))
        assert self._reference is not None
        gains = []
        for examples in (chosen, rejected):
            own = -_sums(self.model, examples, self.device)
            with torch.no_grad(), self._reference() as frozen:
                before = -_sums(frozen, examples, self.device)
            gains.append(own - before)
        margin = self.config.beta * (gains[0] - gains[1])
        return {"loss": -F.logsigmoid(margin).mean(), "right": (margin > 0).float().mean()}

    def _tell(self, board: SummaryWriter, told: dict[str, float], pace: float) -> None:
        if self.step % 10 == 0:
            for name, value in told.items():
                board.add_scalar(f"train/{name}", value, self.step)
            board.add_scalar("train/rate", self._optimisers[0].param_groups[0]["lr"], self.step)
            line = " ".join(f"{name} {value:.4f}" for name, value in told.items())
            print(f"{self.step}/{self.config.steps}, {pace:.2f} steps/s: {line}", flush=True)
        if self.step % self.config.show_every == 0 and self.held_out:
            found = self.perplexity()
            board.add_scalar("held_out/perplexity", found, self.step)
            print(f"{self.step}: held-out perplexity {found:.3f}", flush=True)


def _optimisers(config: Config, model: torch.nn.Module) -> list[torch.optim.Optimizer]:
    """AdamW; for the matrices of a model from nothing Muon (Jordan et al., 2024), if it has a rate."""
    own = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    matrices = [
        p for n, p in own if config.muon_rate and p.ndim == 2 and "embed" not in n and "head" not in n
    ]
    chosen = {id(p) for p in matrices}
    rest = [p for _, p in own if id(p) not in chosen]
    found: list[torch.optim.Optimizer] = [
        torch.optim.AdamW([{"params": rest, "peak": config.rate}], config.rate, (0.9, 0.95), weight_decay=0.0)
    ]
    if matrices:
        groups = [{"params": matrices, "peak": config.muon_rate}]
        found.append(torch.optim.Muon(groups, config.muon_rate, weight_decay=0.0))
    return found


def _losses(
    model: torch.nn.Module, examples: list[Coded], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy of each next token, whether it is the avatar's, and whether it is there at all."""
    ids, own, lengths = padded(examples, 0)
    read = torch.from_numpy(ids).to(device)
    # Padding stands behind and attention looks back only: no mask is needed.
    logits = model(input_ids=read[:, :-1], use_cache=False).logits
    told = F.cross_entropy(logits.float().transpose(1, 2), read[:, 1:], reduction="none")
    at = torch.arange(1, ids.shape[1])
    there = (at[None] < torch.from_numpy(lengths)[:, None]).float()
    return told, torch.from_numpy(own[:, 1:]).to(device), there.to(device)


def _sums(model: torch.nn.Module, examples: list[Coded], device: torch.device) -> Tensor:
    """The loss of each example's last answer, float [examples]."""
    told, own, _ = _losses(model, examples, device)
    return (told * own).sum(1)


def perplexity(model: torch.nn.Module, examples: list[Coded], device: torch.device) -> float:
    """exp of the mean loss of the avatar's tokens."""
    model.eval()
    total = count = 0.0
    ordered = sorted(examples, key=lambda each: len(each.ids))
    with torch.no_grad():
        for batch in _slices(ordered, _HELD_OUT_BATCH):
            told, own, _ = _losses(model, batch, device)
            total, count = total + float((told * own).sum()), count + float(own.sum())
    return math.exp(total / max(count, 1.0))


@torch.no_grad()
def preferred(model: Any, tokenizer: Any, thumbs: list[Example], length: int, device: torch.device) -> float:
    """The share of pairs whose better answer is likelier than the worse one, by the mean of its tokens."""
    model.eval()
    right = 0
    for better in thumbs:
        pair = [coded(each, tokenizer, length) for each in (better, _worse(better))]
        told, own, _ = _losses(model, pair, device)
        means = (told * own).sum(1) / own.sum(1)
        right += bool(means[0] < means[1])
    return right / len(thumbs)


def _slices(examples: list[Coded], size: int) -> Iterator[list[Coded]]:
    for start in range(0, len(examples), size):
        yield examples[start : start + size]


def _worse(example: Example) -> Example:
    """The same talk with the rejected answer in the end."""
    return Example((*example.messages[:-1], ("assistant", example.rejected)), example.source)


def train(
    config: Annotated[Path, typer.Argument(help="The run's YAML, e.g. training/configs/llm-base.yaml.")],
    minutes: Annotated[float, typer.Option(help="Stop after so long; run again to go on.")] = float("inf"),
    out: Annotated[Path | None, typer.Option(help="Another folder than the file says.")] = None,
) -> None:
    """Train the mind's language model; goes on where it stopped."""
    told = load(config)
    trainer = Trainer(told if out is None else told.model_copy(update={"out": out}))
    board = SummaryWriter(str(trainer.config.out / "board"))
    try:
        done = trainer.run(minutes, board)
    finally:
        board.close()
    print("done" if done else f"stopped at step {trainer.step}; run the same command to go on")


if __name__ == "__main__":
    typer.run(train)
