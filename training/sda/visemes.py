"""Trains the `visemes` engine's ear: mel features in, mouth controls out.

    python -m training.sda.visemes            # 10 minutes on one core; needs flite and the `onnx` package

The teacher is `PhoneTrack` on flite's own phone times, three voices, with pitch, tempo, formants, loudness
and noise varied. The student is a two-layer perceptron, trained with Adam (Kingma and Ba, 2015) in NumPy.
"""

import argparse
import hashlib
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from parley.engines import Audio, TimedPhone
from parley.media.audio import resample
from parley.media.clock import FRAME_SAMPLES, SAMPLE_RATE_HZ
from services.sda.face.controls import Control
from services.sda.face.curves import PhoneTrack
from services.sda.face.listener import AFTER, BEFORE, CONTEXT, HOPS, MELS, OVERLAP, WEIGHTS, features
from services.sda.flite import speak
from training.sda.sentences import SENTENCES

VOICES = ("slt", "rms", "awb")
VARIATIONS = 3
HIDDEN = (192, 96)
NAMES = [control.name.lower() for control in Control]
IMPORTANCE = np.array([2.0, 1.2, 1.0, 1.0, 0.4, 0.5], np.float32)  # of errors in each control
Floats = NDArray[np.float32]


def perturb(
    audio: Audio, phones: list[TimedPhone], random: np.random.Generator
) -> tuple[Audio, list[TimedPhone]]:
    """Varies formants (by playing faster or slower), level, noise and the position on the frame grid."""
    speed = float(random.uniform(0.92, 1.1))
    audio = resample(audio, round(SAMPLE_RATE_HZ * speed), SAMPLE_RATE_HZ)
    shift = int(random.integers(0, FRAME_SAMPLES))
    loud, noise = 10 ** (random.uniform(-8, 4) / 20), 10 ** (random.uniform(-80, -55) / 20)
    moved = np.pad(audio, (shift, -(shift + len(audio)) % FRAME_SAMPLES)) * loud
    moved += random.normal(0, noise, len(moved))
    return moved.astype(np.float32), [
        TimedPhone("pau", shift),
        *(TimedPhone(p.symbol, shift + int(p.end / speed)) for p in phones),
    ]


def examples(audio: Audio, phones: list[TimedPhone]) -> tuple[Floats, Floats]:
    """Inputs [frames, HOPS * MELS] and targets [frames, 6] of one utterance."""
    track = PhoneTrack()
    track.add(phones)
    count = len(audio) // FRAME_SAMPLES
    padded = np.concatenate(
        [np.zeros(OVERLAP, np.float32), audio, np.zeros(AFTER * FRAME_SAMPLES, np.float32)]
    )
    silence = features(np.zeros(OVERLAP + FRAME_SAMPLES, np.float32))
    mels = [silence] * BEFORE + [
        features(padded[i * FRAME_SAMPLES : (i + 1) * FRAME_SAMPLES + OVERLAP]) for i in range(count + AFTER)
    ]
    x = np.stack([np.concatenate(mels[i : i + CONTEXT]).ravel() for i in range(count)])
    return x, np.stack([track.mouth(i) for i in range(count)]).astype(np.float32)


def corpus(seed: int) -> Iterator[tuple[bool, Floats, Floats]]:
    """(held out, inputs, targets) of every sentence by every voice; a tenth of the sentences is held out."""
    random = np.random.default_rng(seed)
    for number, text in enumerate(SENTENCES):
        for voice in VOICES:
            settings = {
                "duration_stretch": float(random.uniform(0.85, 1.25)),
                "int_f0_target_mean": float(random.uniform(90, 230)),
            }
            audio, phones = speak(text, voice=voice, settings=settings)
            for _ in range(VARIATIONS):
                yield (number % 10 == 0, *examples(*perturb(audio, phones, random)))


class Student:
    """The perceptron: parameters, forward and backward passes, Adam."""

    def __init__(self, mean: Floats, scale: Floats, random: np.random.Generator) -> None:
        sizes = (HOPS * MELS, *HIDDEN, 6)
        self.mean, self.scale = mean, scale
        self.parameters: list[Floats] = []
        for a, b in itertools.pairwise(sizes):
            self.parameters += [
                random.normal(0, np.sqrt(2 / a), (a, b)).astype(np.float32),
                np.zeros(b, np.float32),
            ]
        self._m = [np.zeros_like(p) for p in self.parameters]
        self._v = [np.zeros_like(p) for p in self.parameters]
        self._steps = 0

    def forward(self, x: Floats) -> list[Floats]:
        """Activations of all layers; the last is the mouth."""
        layers = [(x - self.mean) / self.scale]
        for i in range(0, len(self.parameters), 2):
            z = layers[-1] @ self.parameters[i] + self.parameters[i + 1]
            layers.append(np.maximum(z, 0) if i + 2 < len(self.parameters) else z)
        return layers

    def step(self, x: Floats, y: Floats, rate: float) -> None:
        """One step of Adam on the weighted squared error."""
        layers = self.forward(x)
        slope = (layers[-1] - y) * IMPORTANCE * (2 / len(x))
        self._steps += 1
        for i in range(len(self.parameters) - 2, -1, -2):
            gradients = (layers[i // 2].T @ slope, slope.sum(0))
            if i:
                slope = (slope @ self.parameters[i].T) * (layers[i // 2] > 0)
            for j, g in zip((i, i + 1), gradients, strict=True):
                self._m[j] += 0.1 * (g - self._m[j])
                self._v[j] += 0.001 * (g * g - self._v[j])
                m, v = self._m[j] / (1 - 0.9**self._steps), self._v[j] / (1 - 0.999**self._steps)
                self.parameters[j] -= rate * (m / (np.sqrt(v) + 1e-8) + 0.01 * self.parameters[j])

    def save(self, path: Path) -> None:
        """Writes ONNX: input "mel" [n, HOPS * MELS], output "mouth" [n, 6]."""
        tensors = {"mean": self.mean, "scale": self.scale}
        nodes = [
            helper.make_node("Sub", ["mel", "mean"], ["c"]),
            helper.make_node("Div", ["c", "scale"], ["h0"]),
        ]
        last = len(self.parameters) // 2 - 1
        for k in range(last + 1):
            tensors |= {f"w{k}": self.parameters[2 * k], f"b{k}": self.parameters[2 * k + 1]}
            out = "mouth" if k == last else f"z{k}"
            nodes.append(helper.make_node("Gemm", [f"h{k}", f"w{k}", f"b{k}"], [out]))
            if k < last:
                nodes.append(helper.make_node("Relu", [out], [f"h{k + 1}"]))
        graph = helper.make_graph(
            nodes,
            "listener",
            [helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["n", HOPS * MELS])],
            [helper.make_tensor_value_info("mouth", TensorProto.FLOAT, ["n", 6])],
            [numpy_helper.from_array(t, n) for n, t in tensors.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(path))


def correlations(student: Student, x: Floats, y: Floats) -> list[float]:
    """Pearson's r of each control."""
    guess = student.forward(x)[-1]
    return [round(float(np.corrcoef(guess[:, i], y[:, i])[0, 1]), 3) for i in range(6)]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    sets: dict[bool, list[tuple[Floats, Floats]]] = {True: [], False: []}
    total, told = len(SENTENCES) * len(VOICES) * VARIATIONS, 0.0
    for number, (held_out, x, y) in enumerate(corpus(args.seed), 1):
        sets[held_out].append((x, y))
        if time.monotonic() - told > 2:
            told = time.monotonic()
            print(f"\rspeech {number}/{total}", end="", flush=True)
    x, y = (np.concatenate(part) for part in zip(*sets[False], strict=True))
    test_x, test_y = (np.concatenate(part) for part in zip(*sets[True], strict=True))
    print(f"\r{len(x)} frames to learn from, {len(test_x)} held out")
    random = np.random.default_rng(args.seed)
    student = Student(x.mean(0), x.std(0) + 0.02, random)
    steps = args.epochs * (len(x) // 256)
    done = 0
    for epoch in range(args.epochs):
        order = random.permutation(len(x))
        for batch in np.array_split(order, len(x) // 256):
            student.step(x[batch], y[batch], 1.5e-3 * (1 - done / steps) + 1e-5)
            done += 1
        print(
            f"epoch {epoch + 1}/{args.epochs}: held-out r {correlations(student, test_x, test_y)}", flush=True
        )
    student.save(args.out)
    manifest = {
        "made_by": "python -m training.sda.visemes",
        "trained_on": f"{len(SENTENCES)} sentences of this project spoken by flite ({', '.join(VOICES)})",
        "held_out_correlation": dict(zip(NAMES, correlations(student, test_x, test_y), strict=True)),
        "licence": "Apache-2.0; trained by this project",
        "sha256": {args.out.name: hashlib.sha256(args.out.read_bytes()).hexdigest()},
    }  # fmt: skip
    (args.out.parent / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
