# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""A trained model to what the `transformer` engine serves, without PyTorch:

    python -m training.llm.export model data/runs/llm-avatars/model OUT
    python -m training.llm.export adapter data/runs/llm-mira/adapter OUT/adapters/mira.npz

One ONNX graph (opset 17; matrices in int8, per channel, activations quantised as they come). It reads tokens
and what was computed for those before them (keys and values), and takes a low-rank adapter as an input, so
that one graph serves any number of adapters. For models of the Llama family's parts; others are served by
`vllm`.
"""

import hashlib
import json
import logging
import warnings
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import torch
import typer
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from peft import PeftModel
from torch import Tensor, nn

from parley.errors import ConfigError
from services.llm.engines.transformer_model import GRAPH, LORA_TARGETS, TransformerModel
from services.llm.engines.transformer_prompt import SPECIAL
from training.llm.models import load_model

OPSET = 17
_PROBE = 24  # tokens
app = typer.Typer(no_args_is_help=True)


class Served(nn.Module):
    """The Llama architecture (arXiv 2302.13971) with keys and values, and adapters, going in and out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        config = model.config
        if config.model_type != "llama" or config.num_key_value_heads != config.num_attention_heads:
            raise ConfigError(
                f"A model of type {config.model_type!r} with shared heads cannot be exported.",
                fix="Serve it with `vllm serve` or `transformers serve`, and PARLEY_LLM_ENGINE=vllm.",
            )
        self.heads, self.eps = config.num_attention_heads, config.rms_norm_eps
        self.size = config.hidden_size // self.heads
        self.layers = model.model.layers
        self.norm = model.model.norm.weight
        self.embedding = nn.Parameter(model.model.embed_tokens.weight.half(), requires_grad=False)
        self.head = nn.Parameter(model.lm_head.weight.t().clone().contiguous(), requires_grad=False)
        places = torch.arange(config.max_position_embeddings)
        example = torch.zeros(1, len(places), config.hidden_size)
        cos, sin = model.model.rotary_emb(example, places[None])
        self.register_buffer("cos", cos[0])
        self.register_buffer("sin", sin[0])

    def forward(self, ids: Tensor, keys: Tensor, values: Tensor, *lora: Tensor) -> tuple[Tensor, ...]:
        """Next token's logits [vocabulary], keys and values [layers, heads, past + tokens, size].

        Args:
            ids: int64 [1, tokens].
            keys: [layers, heads, past, size].
            values: The same.
            lora: For each of `LORA_TARGETS` A [layers, in, rank] and B [layers, rank, out].
        """
        adapters = {name: lora[2 * n : 2 * n + 2] for n, name in enumerate(LORA_TARGETS)}
        tokens, past = ids.shape[1], keys.shape[2]
        x = self.embedding[ids[0]].float()
        places = torch.arange(past, past + tokens)
        cos, sin = self.cos[places], self.sin[places]
        hidden = torch.arange(past + tokens)[None] > places[:, None]
        kept_keys, kept_values = [], []
        for at, layer in enumerate(self.layers):

            def through(name: str, part: nn.Module, value: Tensor, at: int = at) -> Tensor:
                a, b = adapters[name]
                return value @ part.get_submodule(name).weight.t() + (value @ a[at]) @ b[at]

            own = self._norm(x, layer.input_layernorm.weight)
            q, k, v = (self._split(through(f"{n}_proj", layer.self_attn, own)) for n in "qkv")
            k = torch.cat((keys[at], self._turned(k, cos, sin)), 1)
            v = torch.cat((values[at], v), 1)
            scores = self._turned(q, cos, sin) @ k.transpose(1, 2) / self.size**0.5
            scores = scores.masked_fill(hidden, -1e9).softmax(-1)
            seen = (scores @ v).transpose(0, 1).reshape(tokens, -1)
            x = x + through("o_proj", layer.self_attn, seen)
            own = self._norm(x, layer.post_attention_layernorm.weight)
            gate = nn.functional.silu(through("gate_proj", layer.mlp, own))
            x = x + through("down_proj", layer.mlp, gate * through("up_proj", layer.mlp, own))
            kept_keys.append(k)
            kept_values.append(v)
        logits = self._norm(x[-1:], self.norm) @ self.head
        return logits[0], torch.stack(kept_keys), torch.stack(kept_values)

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * weight

    def _split(self, x: Tensor) -> Tensor:
        return x.reshape(-1, self.heads, self.size).transpose(0, 1)

    def _turned(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        half = self.size // 2
        return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def export_model(source: str, out: Path, *, licence: str, name: str) -> dict[str, float]:
    """Writes graph, tokenizer and manifest; returns how far int8 is from the trained model.

    Args:
        source: Folder of a model, or of an adapter, which is merged into its base.
        out: Is created.
        licence: Of the weights.
        name: What the engine calls it.

    Raises:
        ConfigError: The model is of another kind, or the graph does not say what the model says.
    """
    model, tokenizer = load_model(source, torch.device("cpu"))
    if isinstance(model, PeftModel):
        model = model.merge_and_unload()
    missing = [token for token in SPECIAL if token not in tokenizer.get_vocab()]
    if missing:
        raise ConfigError(
            f"The tokenizer lacks {', '.join(missing)}.", fix="Export models that llm-base.yaml made."
        )
    out.mkdir(parents=True, exist_ok=True)
    served = Served(model.eval())
    _write(served, model.config, out / "float.onnx")
    _quantise(out / "float.onnx", out / GRAPH)
    (out / "float.onnx").unlink()
    (out / "tokenizer.json").write_text(tokenizer.backend_tokenizer.to_str(), encoding="utf-8")
    config = model.config
    sizes = {
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "head_size": config.hidden_size // config.num_attention_heads,
        "width": config.hidden_size,
        "inner": config.intermediate_size,
        "context": config.max_position_embeddings,
    }
    about = {"model": name, "licence": licence, "parameters": sum(p.numel() for p in model.parameters())}
    _manifest(out, {**about, "sizes": sizes})
    return _compare(model, TransformerModel(out))


def _write(served: Served, config: Any, path: Path) -> None:
    layers, heads, size = config.num_hidden_layers, served.heads, served.size
    past = torch.zeros(layers, heads, 3, size)
    lora = [
        torch.zeros(shape)
        for name in LORA_TARGETS
        for shape in lora_shapes(name, layers, config.hidden_size, config.intermediate_size, 1)
    ]
    names = [f"{name}.{part}" for name in LORA_TARGETS for part in "ab"]
    axes: dict[str, dict[int, str]] = {"ids": {1: "tokens"}, "keys": {2: "past"}, "values": {2: "past"}}
    axes |= {"keys_out": {2: "all"}, "values_out": {2: "all"}}
    axes |= {name: {2 if name.endswith("a") else 1: "rank"} for name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        torch.onnx.export(
            served, (torch.zeros(1, 2, dtype=torch.int64), past, past, *lora), str(path),
            input_names=["ids", "keys", "values", *names], output_names=["logits", "keys_out", "values_out"],
            dynamic_axes=axes, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    onnx.checker.check_model(str(path))


def lora_shapes(name: str, layers: int, width: int, inner: int, rank: int) -> tuple[tuple[int, ...], ...]:
    """Of A and B of a target."""
    into = inner if name == "down_proj" else width
    out = inner if name in ("gate_proj", "up_proj") else width
    return (layers, into, rank), (layers, rank, out)


def _quantise(source: Path, target: Path) -> None:
    ready = source.with_suffix(".ready.onnx")
    quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
    logging.getLogger().setLevel(logging.ERROR)  # it advises what is being done
    quantize_dynamic(
        str(ready),
        str(target),
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
    )
    ready.unlink()


@torch.no_grad()
def _compare(model: Any, graph: TransformerModel) -> dict[str, float]:
    """The graph beside the trained model, on tokens drawn at random: in one go, and token by token."""
    ids = np.random.default_rng(7).integers(16, model.config.vocab_size, _PROBE)
    wanted = model(torch.from_numpy(ids)[None]).logits[0, -1].numpy()
    whole, _ = graph.read(ids, graph.nothing())
    past = graph.nothing()
    for token in ids:
        stepped, past = graph.read(np.array([token]), past)
    likeness = {
        "cosine_to_float": _cosine(whole, wanted),
        "cosine_step_by_step": _cosine(stepped, wanted),
    }
    if min(likeness.values()) < 0.95:
        raise ConfigError(f"The exported graph does not say what the model says: {likeness}")
    return likeness


def _cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return round(float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))), 4)


def _manifest(out: Path, about: dict[str, Any]) -> None:
    files = sorted(p for p in out.iterdir() if p.name in (GRAPH, "tokenizer.json"))
    told = {
        **about,
        "made_by": "python -m training.llm.export model",
        "bytes": {p.name: p.stat().st_size for p in files},
        "sha256": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
    }
    (out / "manifest.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def export_adapter(source: Path, out: Path) -> None:
    """Writes a LoRA adapter as the graph takes it; B carries the scale.

    Raises:
        ConfigError: It adapts layers that the graph does not let adapt.
    """
    model, _ = load_model(str(source), torch.device("cpu"))
    own = model.peft_config["default"]
    unknown = set(own.target_modules) - set(LORA_TARGETS)
    if unknown:
        raise ConfigError(f"The adapter changes {', '.join(sorted(unknown))}, which the engine cannot adapt.")
    layers = model.get_base_model().model.layers
    arrays: dict[str, Any] = {}
    for name in LORA_TARGETS:
        if name not in own.target_modules:
            continue
        parts = [
            (layer.mlp if hasattr(layer.mlp, name) else layer.self_attn).get_submodule(name)
            for layer in layers
        ]
        scale = parts[0].scaling["default"]
        a = torch.stack([part.lora_A["default"].weight.t() for part in parts])
        b = torch.stack([part.lora_B["default"].weight.t() * scale for part in parts])
        arrays |= {f"{name}.a": a.detach().numpy(), f"{name}.b": b.detach().numpy()}
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(out, **arrays)


@app.command()
def model(
    source: Annotated[str, typer.Argument(help="Folder of the model, or of an adapter to merge.")],
    out: Annotated[Path, typer.Argument(help="Folder to write to.")],
    name: Annotated[str, typer.Option(help="What the engine calls it.")] = "small transformer",
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "Apache-2.0; words of WordNet 3.0",
) -> None:
    """Export a model."""
    print(export_model(source, out, licence=licence, name=name))
    print((out / "manifest.json").read_text(encoding="utf-8"))


@app.command()
def adapter(
    source: Annotated[Path, typer.Argument(help="Folder of the adapter.")],
    out: Annotated[Path, typer.Argument(help="File to write, NAME.npz.")],
) -> None:
    """Export an adapter."""
    export_adapter(source, out)
    print(f"{out}: {out.stat().st_size} bytes")


if __name__ == "__main__":
    app()
