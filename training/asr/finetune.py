# mypy: disable-error-code="import-not-found, no-any-return"
"""Fine-tunes a Whisper on a corrected corpus and its new words: `parley train asr CONFIG`.

Corpus clips are drawn as often as the bubble-up weighs them; the lexicon's words come in carrier sentences;
clips of general speech are rehearsed against forgetting. The best model on the development set is kept.
Everything drawn comes from the seed and the step, so a run that was stopped goes on as if it had not been.
"""

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from parley.errors import EngineUnavailable
from training.asr import clips as material
from training.asr import whisper
from training.asr.board import Board
from training.asr.clips import Clip
from training.asr.config import Config
from training.asr.features import Features, Hearing, masked
from training.asr.judge import score
from training.asr.tokens import IGNORED

_DEV_BATCH = 16
_WEIGHT_DECAY = 0.01


class FineTuner:
    """A run: its clips, model, optimiser and place.

    Attributes:
        step: Steps done.
        best: The best development score so far.

    Raises:
        ConfigError: The corpus is not handed over, or not whole.
        EngineUnavailable: The Whisper to start from is missing or broken, or a package is.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.corpus, taught = material.corpus(config.corpus)
        self.lexicon = taught | config.lexicon.words
        self.rehearsed = (
            material.listed(config.rehearse, config.rehearse.parent) if config.rehearse is not None else []
        )
        words = config.lexicon
        self.words = material.spoken_words(
            self.lexicon, words.voices, words.sentences, weight=words.weight, seed=config.seed
        )
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model, self.tokenizer, self.codec = whisper.load(config.start, config.language)
        if config.lora is not None:
            self.model = _with_lora(self.model, config)
        self.model.to(self.device)
        self._taught = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self._taught, config.rate, weight_decay=_WEIGHT_DECAY)
        self.step, self.best, self._worse = 0, math.inf, 0
        self._hearing = Hearing(self.model.config.num_mel_bins)
        self._known: dict[tuple[str, int, int], Any] = {}
        self._seen_words = sorted({word for clip in self.corpus["train"] for word in clip.text.split()})
        if self.path.is_file():
            self._restore(torch.load(self.path, weights_only=True, map_location=self.device))

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.config.out / "state.pt"

    @property
    def done(self) -> bool:
        """Whether it has learnt all that it will."""
        return self.step >= self.config.steps or self._worse >= self.config.patience

    def run(self, minutes: float = math.inf) -> bool:
        """Trains until it gets no better, has done its steps, or is out of processor time.

        Returns:
            Whether it is done.
        """
        began = time.process_time()
        with Board(self.config.out / "board") as board:
            if not self.step:
                self._look(board)
                self.save()
            while not self.done:
                loss = self._learn()
                self.step += 1
                board.loss(self.step, loss, self._rate())
                late = time.process_time() - began > 60 * minutes
                if self.step % self.config.evaluate_every == 0 or self.step >= self.config.steps:
                    self._look(board)
                    self.save()
                if late:
                    self.save()
                    return self.done
        return True

    def write(self, folder: Path) -> None:
        """Writes the best model as a folder of transformers'."""
        state = torch.load(self.config.out / "best.pt", weights_only=True, map_location=self.device)
        self.model.load_state_dict(state, strict=False)
        whole = self.model.merge_and_unload() if self.config.lora is not None else self.model
        whisper.save(whole.cpu(), self.tokenizer, folder)

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        state = {
            "model": self._weights(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "best": self.best,
            "worse": self._worse,
        }
        _put(self.path, state)

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.best, self._worse = state["step"], state["best"], state["worse"]

    def _weights(self) -> dict[str, Any]:
        """Those that are taught."""
        taught = {name for name, parameter in self.model.named_parameters() if parameter.requires_grad}
        return {name: value for name, value in self.model.state_dict().items() if name in taught}

    def _look(self, board: Board) -> None:
        """The development set; the best model is kept, and every look without a better one counts."""
        heard = self._hear(self.corpus["dev"])
        found = score([clip.text for clip in self.corpus["dev"]], heard, self.lexicon)
        board.development(self.step, found, self.corpus["dev"], heard)
        print(f"\nstep {self.step}: development {found.told()}", flush=True)
        if found.wer < self.best:
            self.best, self._worse = found.wer, 0
            _put(self.config.out / "best.pt", self._weights())
        else:
            self._worse += 1

    def _hear(self, clips: Sequence[Clip]) -> list[str]:
        self.model.eval()
        heard: list[str] = []
        for first in range(0, len(clips), _DEV_BATCH):
            batch = [self._hearing(clip.audio) for clip in clips[first : first + _DEV_BATCH]]
            full = self.config.windows == "full"
            heard += whisper.transcribe(self.model, self.codec, batch, full=full)
        self.model.train()
        return heard

    def _learn(self) -> float:
        config = self.config
        random = np.random.default_rng([config.seed, self.step])
        torch.manual_seed(int(random.integers(2**31)))
        self.model.train()
        chosen = self._choose(random)
        features = [masked(self._features(*each, random), random) for each in chosen]
        clips = [self._pool(name)[index] for name, index in chosen]
        lessons = [self.codec.lesson(clip.text, self._expected(clip.text, random)) for clip in clips]
        read, asked = (part.to(self.device) for part in whisper.teach(lessons, self.codec.end))
        window = whisper.window(features, full=config.windows == "full").to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.bf16):
            logits = whisper.decode(self.model, read, whisper.encode(self.model, window))
        loss = F.cross_entropy(logits.float().flatten(0, 1), asked.flatten(), ignore_index=IGNORED)
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._taught, 1.0)
        self.optimiser.step()
        return float(loss.item())

    def _rate(self) -> float:
        """Up in `warmup` steps, then down to a tenth along a line."""
        config = self.config
        left = 1 - self.step / config.steps
        return config.rate * min(1.0, (self.step + 1) / max(config.warmup, 1)) * max(left, 0.1)

    def _choose(self, random: np.random.Generator) -> list[tuple[str, int]]:
        """A batch: the corpus and the new words by weight, and what is rehearsed."""
        others = round(self.config.batch * self.config.rehearsed) if self.rehearsed else 0
        own = material.drawn([*self.corpus["train"], *self.words], self.config.batch - others, random)
        again = material.drawn(self.rehearsed, others, random) if others else []
        return [("own", index) for index in own] + [("again", index) for index in again]

    def _pool(self, name: str) -> Sequence[Clip]:
        return self.rehearsed if name == "again" else [*self.corpus["train"], *self.words]

    def _features(self, name: str, index: int, random: np.random.Generator) -> Features:
        variant = int(random.integers(self.config.variants))
        key = (name, index, variant)
        if key not in self._known:
            own = np.random.default_rng([self.config.seed, index, variant])
            spoilt, _ = self._hearing.spoilt(self._pool(name)[index].audio, own)
            self._known[key] = spoilt.astype(np.float16)
        features: Features = self._known[key].astype(np.float32)
        return features

    def _expected(self, text: str, random: np.random.Generator) -> list[str]:
        """Words that the decoder is told to expect: the lexicon's as a session has them, or some of these."""
        if random.random() >= self.config.prompted:
            return []
        some = random.choice(self._seen_words, min(5, len(self._seen_words)), replace=False)
        words = [word for word in (*self.lexicon, *map(str, some)) if word in text or random.random() < 0.7]
        return [str(word) for word in random.permutation(words)]


def _with_lora(model: Any, config: Config) -> Any:
    """Adapters on queries and values of every attention; the rest is frozen."""
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise EngineUnavailable("`lora` needs peft.", fix="pip install 'peft>=0.17'") from error
    assert config.lora is not None
    wanted = LoraConfig(
        r=config.lora.rank,
        lora_alpha=config.lora.alpha,
        lora_dropout=config.lora.dropout,
        target_modules=["q_proj", "k_proj", "v_proj", "out_proj"],
    )
    return get_peft_model(model, wanted)


def _put(path: Path, state: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)
