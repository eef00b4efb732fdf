"""Converts Resemblyzer's speaker encoder to the arrays that `speaker_encoder` runs without PyTorch.

    pip download --no-deps resemblyzer==0.1.4 && unzip Resemblyzer-*.whl resemblyzer/pretrained.pt
    python -m training.data.export_speaker_encoder resemblyzer/pretrained.pt    # needs torch

Half precision halves the file; embeddings stay within 0.001 of the original's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from training.data.speaker_encoder import WEIGHTS


def main() -> None:
    """Command line."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pretrained", type=Path)
    path = parser.parse_args().pretrained
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
    arrays = {  # the loss function's own two scalars are left out
        name: value.numpy().astype(np.float16)
        for name, value in state.items()
        if not name.startswith("simil")
    }
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    np.savez(WEIGHTS, allow_pickle=False, **arrays)
    about = {
        "file": WEIGHTS.name,
        "sha256": hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),
        "origin": "Resemblyzer 0.1.4 (Resemble AI), resemblyzer/pretrained.pt, converted to float16",
        "origin_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "licence": "Apache-2.0",
        "paper": "Wan et al., Generalized End-to-End Loss for Speaker Verification, ICASSP 2018",
    }
    WEIGHTS.with_name("manifest.json").write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
