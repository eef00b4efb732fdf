"""A transformer small enough to be kept beside the tests of its engine; random, but it copies.

python -m tests.training.llm.tiny_transformer tests/unit/services/llm/tiny_transformer
"""

import sys
from pathlib import Path

import torch

from training.llm.base import make_tokenizer
from training.llm.config import Sizes
from training.llm.export import export_model
from training.llm.models import finish, from_nothing

TEXT = ["the north star stands above the pole", "let the water cool and steep the leaves for two minutes"]


def make(folder: Path) -> Path:
    """Writes model and tokenizer into `folder`/model; returns that."""
    torch.manual_seed(3)
    tokenizer = make_tokenizer(iter(TEXT), size=300)
    sizes = Sizes(tokenizer=folder, width=64, layers=2, inner=64, context=2048)
    finish(from_nothing(sizes, tokenizer), tokenizer, folder)
    return folder / "model"


if __name__ == "__main__":
    out = Path(sys.argv[1])
    export_model(str(make(out / "trained")), out, licence="Apache-2.0", name="tiny")
