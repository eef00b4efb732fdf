"""The tiny model as a GGUF file, as llama.cpp loads it: `python -m tests.training.llm.tiny_gguf OUT.gguf`."""

import argparse
import json
import tempfile
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file

from tests.training.llm import tiny_model

TOKENIZER = "gpt2"  # byte-level BPE


def make(path: Path, *, layers: int = 4, width: int = 256) -> None:
    """Makes a tiny model and writes it, weights in float32, with tokenizer and chat template.

    Args:
        path: Of the file; its folder is created.
        layers: Of the transformer.
        width: Of its states.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tiny_model.make(Path(folder), layers=layers, width=width)
        _convert(Path(folder), path)


def _convert(folder: Path, path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    _add_tokenizer(writer, folder)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    silent = json.loads((folder / "generation_config.json").read_text())["suppress_tokens"]
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for name, weights in load_file(folder / "model.safetensors").items():
        projection = name.split(".")[-2]
        if projection in heads:  # llama.cpp turns neighbours, transformers the two halves of a head
            parts = weights.reshape(heads[projection], 2, -1, weights.shape[-1])
            weights = parts.swapaxes(1, 2).reshape(weights.shape)
        # llama.cpp cannot be told to suppress tokens, so the weights do it: the first number of every state
        # is large, and counts against those alone.
        if name == "model.embed_tokens.weight":
            weights[:, 0] = 5.0
        elif name == "lm_head.weight":
            weights[:, 0] = 0.0
            weights[silent, 0] = -10.0
        writer.add_tensor(
            names.get_name(name, try_suffixes=(".weight",)), np.ascontiguousarray(weights, "float32")
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, folder: Path) -> None:
    told = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = sorted(told["model"]["vocab"].items(), key=lambda entry: entry[1])
    special = {"<s>", "</s>"}
    kinds = [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token, _ in vocabulary]
    writer.add_tokenizer_model(TOKENIZER)
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types(kinds)
    writer.add_token_merges(["Ā ā"])  # llama.cpp insists on one; these two bytes never stand in a text
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(False)
    writer.add_chat_template(tiny_model.TEMPLATE)


def main() -> None:
    """Reads the command line, writes the file."""
    parser = argparse.ArgumentParser(description="Makes a tiny GGUF model of random weights.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    options = parser.parse_args()
    make(options.path, layers=options.layers, width=options.width)


if __name__ == "__main__":
    main()
