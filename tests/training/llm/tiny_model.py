"""A language model small enough to be made in a second: random weights, bytes as tokens, a chat template."""

import string
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

_SPECIAL = ["<s>", "</s>"]
TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "


def make(folder: Path, *, layers: int = 4, width: int = 256) -> None:
    """Writes model and tokenizer as transformers loads them.

    Args:
        folder: Is created.
        layers: Of the transformer.
        width: Of its states.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate([*_SPECIAL, *alphabet])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(alphabet) + len(_SPECIAL),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=16_384,
        bos_token_id=0,
        eos_token_id=1,
    )
    model = LlamaForCausalLM(config)
    # Never ends by itself, and says only what can be printed: random weights alone would do neither.
    said = {*string.ascii_lowercase, "Ġ", "."}
    silent = [i for i, token in enumerate([*_SPECIAL, *alphabet]) if token not in said]
    model.generation_config.do_sample = True
    model.generation_config.suppress_tokens = silent
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
