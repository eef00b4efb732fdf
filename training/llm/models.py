# mypy: disable-error-code="import-not-found, no-any-return"
"""The models that are trained: from nothing, from a folder or a hub, whole or by adapters."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    LlamaConfig,
    LlamaForCausalLM,
)

from parley.errors import ConfigError, EngineUnavailable
from training.llm.beginnings import ROPE_THETA, lay_out_copying
from training.llm.config import Config, Lora, Sizes

MODEL, ADAPTER = "model", "adapter"


def build(config: Config, device: torch.device) -> tuple[Any, Any]:
    """The model to train and its tokenizer.

    Raises:
        ConfigError: The base cannot be loaded.
        EngineUnavailable: Four bits are asked for where there is no GPU.
    """
    if config.sizes is not None:
        tokenizer = _tokenizer(str(config.sizes.tokenizer))
        return from_nothing(config.sizes, tokenizer, config.seed).to(device), tokenizer
    assert config.base is not None
    model, tokenizer = load_model(config.base, device, four_bit=bool(config.lora and config.lora.four_bit))
    if config.lora is not None:
        if config.lora.four_bit:
            model = prepare_model_for_kbit_training(model)
        with _as_peft_still_asks():
            model = get_peft_model(model, _adapters(config.lora))
    return model, tokenizer


def from_nothing(sizes: Sizes, tokenizer: Any, seed: int = 1) -> LlamaForCausalLM:
    """A small model that has learnt nothing yet."""
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=sizes.width,
            intermediate_size=sizes.inner,
            num_hidden_layers=sizes.layers,
            num_attention_heads=sizes.heads,
            num_key_value_heads=sizes.heads,
            max_position_embeddings=sizes.context,
            rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    if sizes.copying:
        lay_out_copying(model, seed)
    return model


def load_model(base: str, device: torch.device, *, four_bit: bool = False) -> tuple[Any, Any]:
    """A finished model: a folder (of a whole model, or of an adapter beside its base), or a hub's name.

    Raises:
        ConfigError: It cannot be loaded.
        EngineUnavailable: Four bits are asked for where there is no GPU, or no bitsandbytes.
    """
    if four_bit and device.type != "cuda":
        raise EngineUnavailable("Four-bit training needs a GPU.", fix="Set `four_bit: false` in the config.")
    told: dict[str, Any] = {"dtype": torch.float32}
    if four_bit:
        told = {
            "quantization_config": BitsAndBytesConfig(
                load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
            )
        }
    try:
        if (Path(base) / "adapter_config.json").is_file():
            own = LoraConfig.from_pretrained(base)
            model, tokenizer = load_model(str(own.base_model_name_or_path), device, four_bit=four_bit)
            with _as_peft_still_asks():
                return PeftModel.from_pretrained(model, base), tokenizer
        model = AutoModelForCausalLM.from_pretrained(base, **told)
    except ImportError as error:
        raise EngineUnavailable(
            f"The model {base!r} needs a library: {error}.", fix="For `four_bit`: pip install bitsandbytes."
        ) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"The model {base!r} cannot be loaded: {error}") from error
    return model if four_bit else model.to(device), _tokenizer(base)


def trained(model: nn.Module) -> list[nn.Parameter]:
    """The weights that learn."""
    return [p for p in model.parameters() if p.requires_grad]


def reference(model: Any) -> Callable[[], AbstractContextManager[Any]]:
    """The model as it was before training: without its adapters, or a frozen copy."""
    if isinstance(model, PeftModel):

        @contextmanager
        def without() -> Iterator[Any]:
            with model.disable_adapter():
                yield model

        return without
    frozen = copy.deepcopy(model).eval().requires_grad_(False)

    @contextmanager
    def kept() -> Iterator[Any]:
        yield frozen

    return kept


def finish(model: Any, tokenizer: Any, out: Path) -> None:
    """Writes the finished model, or its adapter, as transformers and peft read them."""
    folder = out / (ADAPTER if isinstance(model, PeftModel) else MODEL)
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))


@contextmanager
def _as_peft_still_asks() -> Iterator[None]:
    """peft 0.21 reads a property by a name that transformers 5 is about to drop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)
        yield


def _adapters(lora: Lora) -> LoraConfig:
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets),
        task_type="CAUSAL_LM",
    )


def _tokenizer(base: str) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(base)
    if not tokenizer.chat_template:
        raise ConfigError(f"The tokenizer of {base!r} has no chat template.", fix="Use an instruct model.")
    return tokenizer
