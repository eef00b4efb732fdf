"""Everything that a language model's run can be told, strictly: a mistyped field fails at once."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from parley.errors import ConfigError


class Strict(BaseModel):
    """Unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sizes(Strict):
    """Of a transformer that is trained from nothing (the Llama family's parts).

    Attributes:
        tokenizer: Folder of the tokenizer that `training.llm.base` made.
        width: Of its states.
        layers: How many.
        heads: Of attention.
        inner: Width of the feed-forward part.
        context: Longest sequence, tokens.
        copying: Begin with weights that can copy (`beginnings.py`); needs two layers and four heads.
    """

    tokenizer: Path
    width: int = 256
    layers: int = 5
    heads: int = 4
    inner: int = 704
    context: int = 1024
    copying: bool = True


class Lora(Strict):
    """Low-rank adapters (Hu et al., arXiv 2106.09685).

    Attributes:
        rank: Of the update.
        alpha: It is scaled by alpha / rank.
        dropout: Of what enters it.
        targets: Layers that get one.
        four_bit: Freeze the base in four bits (QLoRA, arXiv 2305.14314); needs a GPU and bitsandbytes.
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    four_bit: bool = False


class Config(Strict):
    """A run.

    Attributes:
        data: Folder of `train.jsonl`, `dev.jsonl` and `manifest.json`.
        out: Folder of checkpoint, board and finished model.
        base: Model to start from: a folder, or a hub's name; None: from nothing, by `sizes`.
        sizes: Of a model from nothing.
        lesson: "tell" learns the answers, "prefer" the better of two (DPO, arXiv 2305.18290).
        lora: Adapters only; None: all weights.
        steps: How many.
        batch_tokens: Of a step, padding included.
        length: Longest example, tokens; longer ones lose their beginning.
        rate: Peak learning rate of AdamW.
        muon_rate: Peak rate of Muon, for the matrices of a model from nothing; 0: AdamW for all.
        warmup: Steps until the peak.
        context_weight: What a token counts that is not the avatar's; an answer's counts 1.
        beta: Of DPO: how far the model may go from where it started.
        bf16: Automatic mixed precision.
        threads: Of the processor.
        save_every: Steps between checkpoints.
        show_every: Steps between held-out figures.
    """

    data: Path
    out: Path
    base: str | None = None
    sizes: Sizes | None = None
    lesson: Literal["tell", "prefer"] = "tell"
    lora: Lora | None = None
    steps: int = Field(ge=1)
    batch_tokens: int = 4096
    length: int = 640
    rate: float = 1e-3
    muon_rate: float = 0.0
    warmup: int = 20
    context_weight: float = Field(default=0.0, ge=0, le=1)
    beta: float = 0.1
    seed: int = 1
    bf16: bool = True
    threads: int = 1
    save_every: int = 50
    show_every: int = 50

    @model_validator(mode="after")
    def _one_beginning(self) -> "Config":
        if (self.base is None) == (self.sizes is None):
            raise ValueError("give either `base` (a model to start from) or `sizes` (from nothing)")
        if self.lora and self.base is None:
            raise ValueError("`lora` needs a `base`")
        return self


def load(path: Path) -> Config:
    """Reads a YAML file.

    Raises:
        ConfigError: It is missing or wrong; the message says where.
    """
    try:
        return Config.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
