# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Random weights of a small Llama model in which copying is already laid out.

Answers from notes are mostly copied words. The circuit that copies, an "induction head" (Olsson et al.,
arXiv 2209.11895), has a first layer's head look at the token before, and a later one's look for where the
present token stood before; from chance alone it forms late, after more tokens than one processor core reads
in hours. Here it is laid out: the matrices are random projections, matched to each other, and all of it
learns on from there. Before the first step half of a random sequence is copied right when it is repeated.

- All embeddings share one constant part. Three heads of layer 0 turn it into queries and keys that agree best
  one place back: the rotary encoding of the key is one step ahead. They write a projection P of the token
  before.
- In layer 1 three heads ask with P of the present token for P of the token before, in the slow dimensions of
  the rotary encoding, and pass on the token that they find.
- Everything else writes nothing at first.
"""

from typing import Any

import torch
from torch import Tensor

SPREAD = 0.04  # of embeddings
CONSTANT = 0.16
ROPE_THETA = 1e6
_FAST = 8  # pairs of the rotary encoding that tell one place from the next
_SHARP = 40.0  # logit of the place before
_ASKING = 2.4
_PASSED_ON = 0.3


@torch.no_grad()
def lay_out_copying(model: Any, seed: int) -> None:
    """Sets the weights of a `LlamaForCausalLM` of two layers and four heads or more."""
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    width, heads = config.hidden_size, config.num_attention_heads
    size = width // heads
    embedding = model.model.embed_tokens.weight
    embedding.normal_(0, SPREAD, generator=generator)
    embedding[:, 0] = CONSTANT
    for layer in model.model.layers:
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
    turn = _directions(width, generator)
    before, place = turn[: 3 * size], turn[-3 * size :].flip(0)
    _look_back(model.model.layers[0].self_attn, before, place, size)
    _look_up(model.model.layers[1].self_attn, before, place, _directions(width, generator), size)


def _directions(width: int, generator: torch.Generator) -> Tensor:
    """Orthonormal rows that leave the constant part alone, float32 [width - 1, width]."""
    square = torch.linalg.qr(torch.randn(width - 1, width - 1, generator=generator))[0]
    return torch.cat((torch.zeros(width - 1, 1), square), 1)


def _look_back(attention: Any, before: Tensor, place: Tensor, size: int) -> None:
    """Three heads look one place back, each for a third of the projection."""
    level = CONSTANT / (SPREAD**2 + CONSTANT**2 / before.shape[1]) ** 0.5
    query = torch.zeros(size)
    query[:_FAST] = (_SHARP * size**0.5 / _FAST) ** 0.5 / level
    angle = ROPE_THETA ** (-2 * torch.arange(size // 2) / size)
    key = torch.cat((query[: size // 2] * angle.cos(), query[: size // 2] * angle.sin()))
    for head in range(3):
        rows = slice(head * size, (head + 1) * size)
        for matrix, column in ((attention.q_proj.weight, query), (attention.k_proj.weight, key)):
            matrix[rows] = 0
            matrix[rows, 0] = column
        attention.v_proj.weight[rows] = before[rows]
        attention.o_proj.weight[:, rows] = 1.5 * SPREAD * place[rows].t()


def _look_up(attention: Any, before: Tensor, place: Tensor, passed: Tensor, size: int) -> None:
    """Three heads look for the place whose token before is the present one, and pass its token on."""
    half = size // 2
    slow = [*range(half // 2, half), *range(half + half // 2, size)]
    for head in range(3):
        rows = slice(head * size, (head + 1) * size)
        own = torch.arange(head * size, (head + 1) * size)[slow]
        at = torch.tensor(slow) + head * size
        for matrix, source in ((attention.q_proj.weight, before), (attention.k_proj.weight, place)):
            matrix[rows] = 0
            matrix[at] = _ASKING * source[own]
        attention.v_proj.weight[rows] = passed[rows]
        attention.o_proj.weight[:, rows] = _PASSED_ON * passed[rows].t()
