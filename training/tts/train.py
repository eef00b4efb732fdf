# mypy: allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Trains a voice, resumably: `parley train tts CONFIG [--minutes M]`.

Three stages. The acoustic model learns to say phones as the voice does, durations and pitch given. The
vocoder learns speech from real mel spectrograms. Then the vocoder goes on with those that the acoustic model
makes of the same sentences, at the true durations and pitch (GTA: ground-truth aligned), and is kept only if
it is better on held-out ones. Every number drawn comes from the seed, the stage and the step, so a run that
was stopped goes on bit for bit as if it had not been.
"""

import copy
import math
import shutil
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.nn import functional as F

from services.tts.fastpitch.frames import BINS, Floats
from services.tts.fastpitch.source import features
from training.keeping import follow, write_checkpoint
from training.strict import read_config
from training.tts import signal
from training.tts.batches import Known, known, pieces, pitch_of, sentences
from training.tts.board import Board
from training.tts.config import STAGES, Config, Stage
from training.tts.gate import TUNED, Gate
from training.tts.material import load
from training.tts.model import Acoustic, SpectrogramJudge, Vocoder

BETAS = (0.9, 0.98)
JUDGED = (1024, 240)  # window and hop of the spectrograms that the judge sees


class Trainer:
    """A run: its networks, optimisers and place.

    Attributes:
        stage: Where it is; `len(STAGES)` when done.
        step: Steps done of that stage.
        gate: What became of the vocoder's fine-tune; None before it ended.

    Raises:
        ConfigError: There is no speech.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.acoustic, self.vocoder = Acoustic(config.acoustic), Vocoder(config.vocoder)
        self.judge = SpectrogramJudge()
        clips = load(config.speech)
        self.train, self.held_out = known(clips[: -config.held_out]), known(clips[-config.held_out :])
        if config.start_from is not None:
            nets = torch.load(config.start_from, weights_only=True)["nets"]
            self.acoustic.load_state_dict(nets["slow_acoustic"])
            self.vocoder.load_state_dict(nets["slow_vocoder"])
        mean, spread = pitch_of(self.train)
        self.acoustic.pitch_mean.fill_(mean)
        self.acoustic.pitch_spread.fill_(spread)
        self.slow_acoustic = copy.deepcopy(self.acoustic).requires_grad_(False)
        self.slow_vocoder = copy.deepcopy(self.vocoder).requires_grad_(False)
        self._optimisers = {
            "acoustic": torch.optim.AdamW(self.acoustic.parameters(), betas=BETAS),
            "vocoder": torch.optim.AdamW(self.vocoder.parameters(), betas=BETAS),
            "judge": torch.optim.AdamW(self.judge.parameters(), betas=(0.8, 0.99)),
        }
        self.stage = self.step = 0
        self.gate: Gate | None = None
        if self.path.is_file():
            self._resume(torch.load(self.path, weights_only=True))

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.config.out / "state.pt"

    def run(self, minutes: float = float("inf"), board: Board | None = None) -> bool:
        """Trains until done or out of time; returns whether it is done."""
        deadline = time.monotonic() + 60 * minutes
        while self.stage < len(STAGES):
            name = STAGES[self.stage]
            if not self._run_stage(name, deadline, board):
                return False
            if name == "generated":
                self._decide()
            self.stage, self.step = self.stage + 1, 0
            self.save()
            shutil.copy(self.path, self.path.with_name(f"{name}.pt"))
        return True

    def _run_stage(self, name: Stage, deadline: float, board: Board | None) -> bool:
        learn: Callable[[np.random.Generator], dict[str, float]] = {
            "acoustic": self._learn_acoustic,
            "vocoder": lambda random: self._learn_vocoder(random, self._real),
            "generated": lambda random: self._learn_vocoder(random, self._generated),
        }[name]
        while self.step < self.config.steps.of(name):
            random = np.random.default_rng([self.config.seed, self.stage, self.step])
            self._set_rate(name)
            told = learn(random)
            self.step += 1
            if board is not None:
                board.scalars(self, name, told)
            late = time.monotonic() > deadline
            if late or self.step % self.config.save_every == 0:
                self.save()
            if board is not None and self.step % self.config.show_every == 0:
                board.show(self)
            if late:
                return False
        return True

    def save(self) -> None:
        """Writes the checkpoint."""
        write_checkpoint(
            self.path,
            {
                "nets": {name: net.state_dict() for name, net in self._nets().items()},
                "optimisers": {name: each.state_dict() for name, each in self._optimisers.items()},
                "stage": self.stage,
                "step": self.step,
                "gate": None if self.gate is None else self.gate.as_dict(),
                "config": self.config.model_dump(mode="json"),
            },
        )

    def steps_done(self) -> int:
        """Steps of all stages so far."""
        return sum(self.config.steps.of(name) for name in STAGES[: self.stage]) + self.step

    def _nets(self) -> dict[str, nn.Module]:
        return {
            "acoustic": self.acoustic,
            "vocoder": self.vocoder,
            "judge": self.judge,
            "slow_acoustic": self.slow_acoustic,
            "slow_vocoder": self.slow_vocoder,
        }

    def _resume(self, state: dict[str, Any]) -> None:
        for name, net in self._nets().items():
            net.load_state_dict(state["nets"][name])
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.stage, self.step = state["stage"], state["step"]
        self.gate = Gate.told(state["gate"]) if state["gate"] else None

    def _set_rate(self, name: Stage) -> None:
        """A short climb, then a cosine down to a twentieth."""
        share = self.step / max(self.config.steps.of(name), 1)
        climb = min(1.0, (self.step + 1) / 30)
        factor = climb * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))
        rates = self.config.rates
        learner = "acoustic" if name == "acoustic" else "vocoder"
        self._optimisers[learner].param_groups[0]["lr"] = factor * float(getattr(rates, name))
        self._optimisers["judge"].param_groups[0]["lr"] = factor * rates.judge

    def _advance(self, name: str, loss: Tensor) -> None:
        optimiser, net = self._optimisers[name], self._nets()[name]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()

    def _learn_acoustic(self, random: np.random.Generator) -> dict[str, float]:
        chosen = [self.train[k] for k in random.choice(len(self.train), self.config.batch)]
        real = sentences(chosen, float(self.acoustic.pitch_mean), float(self.acoustic.pitch_spread))
        said = self.acoustic(real.codes, real.pitch, real.places, real.index, real.masks)
        phones, frames = (mask[..., 0] for mask in real.masks)
        voiced = frames * (0.1 + real.voicing)
        parts = {
            "mel": _mean((said.mel - real.mel).abs().mean(-1), frames),
            "contour": _mean((said.contour - real.contour).abs(), voiced),
            "voicing": _mean(
                F.binary_cross_entropy_with_logits(said.voicing, real.voicing, reduction="none"), frames
            ),
            "durations": _mean((said.log_durations - real.durations.clamp(min=1).log()) ** 2, phones),
            "pitch": _mean((said.pitch - real.pitch) ** 2, phones * (0.1 + real.voice)),
        }
        weights = {"mel": 3.0, "contour": 0.5, "voicing": 0.3, "durations": 0.5, "pitch": 0.2}
        self._advance("acoustic", sum((weights[k] * part for k, part in parts.items()), torch.zeros(())))
        follow(self.slow_acoustic, self.acoustic, decay=self.config.ema, step=self.step)
        return {name: part.item() for name, part in parts.items()}

    def _learn_vocoder(
        self, random: np.random.Generator, told: Callable[[], list[Floats]]
    ) -> dict[str, float]:
        config = self.config
        batch = pieces(self.train, told(), config.pieces, config.piece_frames, random)
        made = speak(self.vocoder, batch.features, batch.buzz, batch.noise)
        parts = {
            "stft": signal.distance(made, batch.audio),
            "mel": (signal.mel(made) - signal.mel(batch.audio)).abs().mean(),
        }
        total, heard = parts["stft"] + parts["mel"], {}
        judged = STAGES[self.stage] == "generated" or self.step >= config.steps.vocoder // 2
        if config.adversarial and judged:
            heard = self._judge(made, batch.audio)
            total = total + config.adversarial * heard["persuasion"]
        self._advance("vocoder", total)
        follow(self.slow_vocoder, self.vocoder, decay=config.ema, step=self.step)
        return {name: part.item() for name, part in (parts | heard).items()}

    def _judge(self, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        """The judge's lesson (least squares, arXiv 1611.04076), then what it says of the made."""
        theirs, ours = (signal.spectrogram(sound, *JUDGED).clamp(min=1e-3).log() for sound in (real, made))
        loss = ((self.judge(theirs)[0] - 1) ** 2).mean() + (self.judge(ours.detach())[0] ** 2).mean()
        self._advance("judge", loss)
        self.judge.requires_grad_(False)
        score, layers = self.judge(ours)
        with torch.no_grad():
            wanted = self.judge(theirs)[1]
        alike = torch.stack([(a - b).abs().mean() for a, b in zip(layers, wanted, strict=True)]).mean()
        self.judge.requires_grad_(True)
        return {"judge": loss.detach(), "persuasion": ((score - 1) ** 2).mean() + 2 * alike}

    def _real(self) -> list[Floats]:
        return self._true_features

    @cached_property
    def _true_features(self) -> list[Floats]:
        return [features(each.mel, each.line, each.voiced) for each in self.train]

    def _generated(self) -> list[Floats]:
        return self._made_features

    @cached_property
    def _made_features(self) -> list[Floats]:
        """Of the finished acoustic model, for all training sentences."""
        return [generated(self.slow_acoustic, each) for each in self.train]

    def _decide(self) -> None:
        """The gate: the fine-tuned vocoder stays only if it wins on held-out sentences; `TUNED` keeps it."""
        self.save()
        shutil.copy(self.path, self.path.with_name(TUNED))
        before = copy.deepcopy(self.slow_vocoder)
        earlier = torch.load(self.path.with_name("vocoder.pt"), weights_only=True)
        before.load_state_dict(earlier["nets"]["slow_vocoder"])
        self.gate = Gate.hold(self.slow_acoustic, before, self.slow_vocoder, self.held_out)
        if not self.gate.kept:
            self.slow_vocoder.load_state_dict(before.state_dict())


def speak(vocoder: Vocoder, told: Tensor, buzz: Tensor, noise: Tensor) -> Tensor:
    """Filters the sources: float [batch, frames, FEATURES] and [batch, frames * HOP] twice, to the latter."""
    gain, phase, hiss = vocoder(told)
    spectra = torch.polar(gain.exp(), phase) * signal.spectrum(buzz) + hiss.exp() * signal.spectrum(noise)
    flat = torch.ones(BINS)
    flat[[0, -1]] = 0  # no DC, and nothing at the Nyquist
    return signal.samples(spectra * flat)


@torch.no_grad()
def generated(acoustic: Acoustic, each: Known) -> Floats:
    """What the acoustic model makes of a clip at its true durations, pitch and voicing (GTA)."""
    real = sentences([each], float(acoustic.pitch_mean), float(acoustic.pitch_spread))
    said = acoustic(real.codes, real.pitch, real.places, real.index)
    return features(said.mel[0].numpy(), each.line, each.voiced)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum()


def train(
    config: Annotated[Path, typer.Argument(help="The run's YAML, e.g. training/configs/tts-slt.yaml.")],
    minutes: Annotated[float, typer.Option(help="Stop after so long; run again to go on.")] = float("inf"),
    start_from: Annotated[Path | None, typer.Option(help="Checkpoint that a fine-tune starts from.")] = None,
    out: Annotated[Path | None, typer.Option(help="Another folder than the file says.")] = None,
) -> None:
    """Train a voice; goes on where it stopped."""
    told = {name: value for name, value in (("start_from", start_from), ("out", out)) if value is not None}
    trainer = Trainer(read_config(Config, config).model_copy(update=told))
    with Board(trainer.config.out / "board") as board:
        done = trainer.run(minutes, board)
    if not done:
        print(f"\nstopped in stage {STAGES[trainer.stage]}; run the same command to go on")
    elif trainer.gate is not None:
        print(f"\ndone; {trainer.gate}")


if __name__ == "__main__":
    typer.run(train)
