"""A corpus of tones: every word is a pitch, so that a tiny Whisper learns it in seconds."""

import hashlib
from pathlib import Path

import numpy as np
import orjson
import pytest

from parley.media.clock import SAMPLE_RATE_HZ
from training.asr import whisper
from training.asr.clips import publish
from training.asr.config import Config
from training.asr.tokens import small_tokenizer

WORDS = ("low", "mid", "high")
PITCHES = {"low": 250.0, "mid": 700.0, "high": 1900.0}


def tone(text: str) -> np.ndarray:
    """float32 [n] at 24 kHz."""
    at = np.arange(SAMPLE_RATE_HZ // 4) / SAMPLE_RATE_HZ
    return np.concatenate([0.3 * np.sin(2 * np.pi * PITCHES[w] * at) for w in text.split()]).astype(
        np.float32
    )


def texts(count: int, seed: int) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, int(random.integers(1, 4)))) for _ in range(count)]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A corpus that was handed over."""
    root = tmp_path / "corpus"
    folder = root / "handover"
    files = {}
    for seed, (split, count) in enumerate({"train": 40, "dev": 12, "test": 12}.items()):
        publish(root / f"{split}.jsonl", [(tone(text), text) for text in texts(count, seed)])
        data = (root / f"{split}.jsonl").read_bytes()
        folder.mkdir(exist_ok=True)
        (folder / f"asr.{split}.jsonl").write_bytes(data)
        files[f"asr.{split}.jsonl"] = {"sha256": hashlib.sha256(data).hexdigest()}
    (folder / "manifest.json").write_bytes(orjson.dumps({"files": files, "lexicon": {}}))
    return root


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A tiny Whisper that knows nothing."""
    import torch

    torch.manual_seed(0)
    tokenizer = small_tokenizer(texts(50, 9), 300)
    model = whisper.new(tokenizer, width=64, encoder=1, decoder=1, dropout=0.0)
    folder = tmp_path / "start"
    whisper.save(model, tokenizer, folder)
    return folder


@pytest.fixture
def config(tmp_path: Path, corpus: Path, start: Path) -> Config:
    """A run of seconds."""
    publish(tmp_path / "general.jsonl", [(tone(text), text) for text in texts(12, 20)])
    return Config(
        name="tones-1",
        start=str(start),
        corpus=corpus,
        general=tmp_path / "general.jsonl",
        out=tmp_path / "run",
        models=tmp_path / "models",
        windows="short",
        steps=6,
        batch=8,
        rate=3e-3,
        warmup=2,
        variants=1,
        evaluate_every=3,
    )
