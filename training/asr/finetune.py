# mypy: disable-error-code="import-not-found, no-any-return"
"""Fine-tunes a Whisper on a corrected corpus and its new words: `parley train asr CONFIG`.

Corpus clips are drawn as often as the bubble-up weighs them; the lexicon's words come in carrier sentences;
clips of general speech are rehearsed against forgetting. Weights are averaged over the steps; those are kept
that hear the development set best and forget least, and in the end they go back towards those that the run
began with until nothing is forgotten (`settle`).
Everything drawn comes from the seed and the step, so a run that was stopped goes on as if it had not been.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from training.asr.judge import PAUSE_SAMPLES, Score, score
from training.asr.tokens import IGNORED
from training.keeping import write_checkpoint
from training.sda import augment

_DEV_BATCH = 16
_WEIGHT_DECAY = 0.01
_SHARES = tuple(tenths / 10 for tenths in range(10, 0, -1))  # of the tuned weights in a mean
Weights = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Settled:
    """How far a model went from the weights it began with, and what that is worth.

    Attributes:
        share: Of the tuned weights in the mean, 0…1.
        anchor_before: Word error rate on general speech of the weights it began with; NaN: no anchor.
        anchor: The same with the mean.
        development: Word error rate on the development set with the mean.
    """

    share: float
    anchor_before: float
    anchor: float
    development: float


def _development(settled: Settled) -> float:
    return settled.development


class FineTuner:
    """A run: its clips, model, optimiser and place.

    Attributes:
        step: Steps done.
        best: The lowest word error rate on the development set so far, with what was forgotten added.

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
        self.rehearsed, self.anchor = (
            [] if path is None else material.listed(path, path.parent)
            for path in (config.rehearse, config.anchor)
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
        self._began = {name: value.clone() for name, value in self._weights().items()}
        self._slow = {name: value.clone() for name, value in self._weights().items()}
        self.optimiser = torch.optim.AdamW(self._taught, config.rate, weight_decay=_WEIGHT_DECAY)
        self.step, self.best, self._worse = 0, math.inf, 0
        self._anchor_before = math.nan
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
                self._follow()
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

    def write(self, folder: Path) -> Settled:
        """Writes the best model, settled, as a folder of transformers'."""
        settled = self.settle()
        whole = self.model.merge_and_unload() if self.config.lora is not None else self.model
        whisper.save(whole.cpu(), self.tokenizer, folder)
        return settled

    def settle(self) -> Settled:
        """Gives the model the mean of its best weights and those before that hears best and forgets nothing.

        Without an anchor these are the best weights. If every mean forgets, the one that forgets least is
        taken, and left to the gate.
        """
        best = torch.load(self.config.out / "best.pt", weights_only=True, map_location=self.device)
        if not self.anchor:
            self.model.load_state_dict(best, strict=False)
            return Settled(1.0, math.nan, math.nan, self.best)
        before = self._mixed(best, 0.0)
        tried = [self._mixed(best, share) for share in _SHARES]
        chosen = min((each for each in tried if each.anchor <= before.anchor), key=_development, default=None)
        chosen = chosen or min(tried, key=lambda each: each.anchor)
        self._mix(best, chosen.share)
        return replace(chosen, anchor_before=before.anchor)

    def _mixed(self, best: Weights, share: float) -> Settled:
        self._mix(best, share)
        anchor, development = (self._score(clips).wer for clips in (self.anchor, self.corpus["dev"]))
        return Settled(share, math.nan, anchor, development)

    def _mix(self, best: Weights, share: float) -> None:
        mixed = {name: torch.lerp(began, best[name], share) for name, began in self._began.items()}
        self.model.load_state_dict(mixed, strict=False)

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        state = {
            "model": self._weights(),
            "slow": self._slow,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "best": self.best,
            "worse": self._worse,
            "anchor": self._anchor_before,
        }
        write_checkpoint(self.path, state)

    def _restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"], strict=False)
        self.optimiser.load_state_dict(state["optimiser"])
        self._slow = state["slow"]
        self.step, self.best, self._worse = state["step"], state["best"], state["worse"]
        self._anchor_before = state["anchor"]

    def _weights(self) -> Weights:
        """Those that are taught."""
        taught = {name for name, parameter in self.model.named_parameters() if parameter.requires_grad}
        return {name: value for name, value in self.model.state_dict().items() if name in taught}

    def _follow(self) -> None:
        """The averaged weights come nearer; in the first steps faster, or they would hold the beginning."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for name, value in self._weights().items():
            self._slow[name].lerp_(value, 1 - decay)

    def _look(self, board: Board) -> None:
        """The averaged weights hear; the best are kept, and every look without better ones counts."""
        fast = {name: value.clone() for name, value in self._weights().items()}
        self.model.load_state_dict(self._slow, strict=False)
        dev = self.corpus["dev"]
        heard = self._hear(dev)
        found = score([clip.text for clip in dev], heard, self.lexicon)
        forgotten = self._forgotten()
        self.model.load_state_dict(fast, strict=False)
        board.development(self.step, found, dev, heard)
        print(f"\nstep {self.step}: development {found.told()}; {forgotten:.1%} forgotten", flush=True)
        if found.wer + forgotten < self.best:
            self.best, self._worse = found.wer + forgotten, 0
            write_checkpoint(self.config.out / "best.pt", self._slow)
        else:
            self._worse += 1

    def _forgotten(self) -> float:
        """Word errors on the anchor beyond those before the first step, 0…1; 0 without an anchor."""
        if not self.anchor:
            return 0.0
        wer = self._score(self.anchor).wer
        if not self.step:
            self._anchor_before = wer
        return max(wer - self._anchor_before, 0.0)

    def _score(self, clips: Sequence[Clip]) -> Score:
        return score([clip.text for clip in clips], self._hear(clips))

    def _hear(self, clips: Sequence[Clip]) -> list[str]:
        self.model.eval()
        heard: list[str] = []
        for first in range(0, len(clips), _DEV_BATCH):
            padded = [np.pad(clip.audio, PAUSE_SAMPLES) for clip in clips[first : first + _DEV_BATCH]]
            batch = [self._hearing(audio) for audio in padded]
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
        # Another vocal tract each time, as in the pretraining: few voices, many throats.
        heard = [augment.warped(self._features(*each, random).T, random).T for each in chosen]
        features = [masked(each, random) for each in heard]
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
