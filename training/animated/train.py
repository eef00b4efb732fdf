# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Trains the animated face, resumably:

    python -m training.animated.train training/configs/animated.yaml [--minutes M]

Three stages: a base on realistic heads; the same network fine-tuned to drawings; then speech moves its
styles.
Every number drawn comes from the seed, the stage and the step, so a run that was stopped goes on as if it had
not been.
"""

import copy
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from parley.errors import ConfigError
from training.animated import losses, material
from training.animated.augment import Adaptive
from training.animated.board import Board
from training.animated.config import STAGES, Config, Stage, load
from training.animated.discriminators import Judges, fives, near, small
from training.animated.likeness import Likeness, fit_palette
from training.animated.model import Animator, Content, Encoder, enlarged, repeated, window
from training.animated.reader import Reader
from training.sda.discriminators import SYNC_FRAMES
from training.sda.losses import visemes
from training.sda.model import NOISE_SPREAD
from training.sda.train import pictures

BETAS = (0.5, 0.99)
SAMPLED = 4  # pictures from noise a step
WARM = 25  # steps until a stage learns at its full rate
WHOLE_EVERY = 2  # steps of stage `drawn`: whole pictures; the others are about what moves
READ = 3  # realistic heads whose likeness is told, for each that is painted
DEVICE = torch.device("cpu")


class Trainer:
    """A run: its networks, optimisers and place.

    Attributes:
        stage: Where it is, an index into the config's stages; their number when done.
        step: Steps done of that stage.
        history: Stages that ended and their steps, those of the run that this one goes on from first.

    Raises:
        ConfigError: There is no data for a stage.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.generator, self.judges = Animator(config.model), Judges(config.model)
        self.photo = Encoder(config.model).requires_grad_(False)
        self.likeness = Likeness(config.model)
        self.reader = Reader().requires_grad_(False)
        self.ada = Adaptive(config.ada_target)
        self._take_ears(config.voice)
        self.history: list[tuple[Stage, int]] = []
        if config.start_from is not None:
            self._start_from(torch.load(config.start_from, weights_only=True))
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        self._optimisers = self._new_optimisers()
        for net in (self.generator, self.judges):
            net.to(memory_format=torch.channels_last)
        self.source = material.Source(
            config.speech, config.heads, config.model.size, config.frames, config.seed
        )
        self.stage = self.step = 0
        self.weight = losses.importance(
            window(torch.zeros(1, config.model.size, config.model.size)).shape[-1]
        )
        if self.path.is_file():
            self._resume(torch.load(self.path, weights_only=True))

    def _new_optimisers(self) -> dict[str, torch.optim.Optimizer]:
        net, rates = self.generator, self.config.rates
        moving = [*net.motion.parameters(), *net.stir.parameters(), *net.noise.parameters()]
        hearing = list(net.audio.parameters())
        apart = {id(parameter) for parameter in [*moving, *hearing]}
        drawing = [parameter for parameter in net.parameters() if id(parameter) not in apart]
        drawing += self.likeness.parameters()
        groups = [{"params": group} for group in (drawing, moving, hearing)]
        return {
            "generator": torch.optim.Adam(groups, rates.generator, BETAS),
            "judges": torch.optim.Adam(self.judges.parameters(), rates.judges, BETAS),
        }

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.config.out / "state.pt"

    @property
    def name(self) -> Stage:
        """The stage's name."""
        return self.config.stages[self.stage]

    def run(
        self, minutes: float = float("inf"), board: Board | None = None, *, until: float = float("inf")
    ) -> bool:
        """Trains until done, out of time, or at step `until` of a stage; returns whether it is done."""
        deadline = time.monotonic() + 60 * minutes
        while self.stage < len(self.config.stages):
            if self.step == 0:
                self._begin()
            if not self._run_stage(deadline, board, until):
                return False
            ended = self.name
            if ended == "base":
                fit_palette(self.likeness, self.average.encoder, self.config.heads)
            self.history.append((ended, self.step))
            self.stage, self.step = self.stage + 1, 0
            self.save()
            shutil.copy(self.path, self.path.with_name(f"{ended}.pt"))
        return True

    def _run_stage(self, deadline: float, board: Board | None, until: float) -> bool:
        lessons: dict[Stage, Callable[[np.random.Generator], dict[str, float]]] = {
            "base": self._learn_base,
            "drawn": self._learn_drawn,
            "moving": self._learn_moving,
            "video": self._learn_video,
        }
        name = self.name
        while self.step < self.config.steps.of(name):
            place = (self.config.seed, STAGES.index(name), self.step)
            torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
            self._set_rate()
            told = lessons[name](np.random.default_rng(place))
            self._follow()
            self.step += 1
            if board is not None:
                board.scalars(self, told)
            late = time.monotonic() > deadline or self.step >= until
            place_name = f"{name}-{self.step}"
            if late or self.step % self.config.save_every == 0 or place_name in self.config.kept:
                self.save()
            if place_name in self.config.kept:
                shutil.copy(self.path, self.path.with_name(f"{place_name}.pt"))
            if board is not None and self.step % self.config.show_every == 0:
                board.show(self)
            if late:
                return False
        return True

    def _begin(self) -> None:
        """What a stage begins with; its optimisers are new."""
        self._optimisers = self._new_optimisers()
        self.source = material.Source(
            self.config.speech,
            self.config.heads,
            self.config.model.size,
            self.config.frames,
            self.config.seed,
        )
        if self.name in ("moving", "video"):
            self.source = replace(self.source, avatars=self.config.avatars)
        if self.name == "drawn":
            if "base" in self.config.stages and self.step == 0:
                self.photo.load_state_dict(self.average.encoder.state_dict())
            self.ada = Adaptive(self.config.ada_target, 0.1)
        if self.name != "base":
            if not self.config.reader.is_file():
                raise ConfigError(
                    f"{self.config.reader} does not exist.", fix="python -m training.animated.reader"
                )
            self.reader.load_state_dict(torch.load(self.config.reader, weights_only=True))

    @property
    def transferred(self) -> bool:
        """Whether drawings are learnt on top of a base."""
        return "base" in self.config.stages or self.config.start_from is not None

    def rate(self) -> float:
        """How much of the learning rate is in force: soon all, then less over the last 40 % of a stage."""
        share = self.step / max(self.config.steps.of(self.name), 1)
        return min((1 + self.step) / WARM, 1.0 if share < 0.6 else max((1 - share) / 0.4, 0.05))

    def _set_rate(self) -> None:
        rates, left = self.config.rates, self.rate()
        generator = self._optimisers["generator"].param_groups
        for group, rate in zip(generator, (rates.generator, rates.motion, rates.audio), strict=True):
            group["lr"] = rate * left

    def _judged(self) -> bool:
        steps = self.config.steps
        share = steps.watched_from if self.name == "video" else steps.judged_from
        return self.step >= share * steps.of(self.name)

    # -- lessons ----------------------------------------------------------------------------------------

    def _learn_base(self, random: np.random.Generator) -> dict[str, float]:
        size = self.config.batch
        seen, told = material.photo_batch(self.config.heads, random, READ * size)
        photos = enlarged(pictures(seen, DEVICE), self.config.model.size)
        with self._autocast():
            content = self.generator.encoder(photos)
            said = self.likeness(content)
        apart = losses.likeness(said.float(), torch.from_numpy(told))
        painted = Content(content.style[:size], content.offsets[:size], None)
        return self._portray(painted, photos[:size], {"likeness": self.config.weights.likeness * apart})

    def _learn_drawn(self, random: np.random.Generator) -> dict[str, float]:
        """Every other step about what moves, the others about whole pictures."""
        return self._learn_moving(random) if self.step % WHOLE_EVERY else self._learn_stills(random)

    def _learn_moving(self, random: np.random.Generator) -> dict[str, float]:
        weights = self.config.weights
        size = max(self.config.batch // material.POSES, 1)
        batch = material.poses(self.source, size, self.step, random)
        still, real = pictures(batch.still, DEVICE), pictures(batch.video, DEVICE).flatten(0, 1)
        told = (torch.from_numpy(part).flatten(0, 1) for part in (batch.mouth, batch.controls, batch.sliders))
        with self._autocast():
            content = self.generator.encoder(still)
            moves = self.generator.posed(*told)
            made = self.generator.draw(
                repeated(content, material.POSES), moves, still.repeat_interleave(material.POSES, 0)
            )
        shown, target = made.shown.float(), window(real)
        under = window(still).repeat_interleave(material.POSES, 0)
        parts = {
            "window": weights.painted * losses.pixels(made.painted.float(), target, under, self.weight),
            "shown": weights.shown * losses.pixels(shown, target, under, self.weight),
            "contours": weights.contours * losses.contours(shown, target, self.weight),
        } | self._lips(shown, target)
        judged = {}
        if self._judged():
            judged = self._argue("mouth", weights.frame, near(target), near(shown), parts)
        return self._improve(parts) | judged

    def _lips(self, made: Tensor, real: Tensor) -> dict[str, Tensor]:
        """How far the lips of windows [N, 3, h, w] are from where they should be, as the reader sees both."""
        if not self.config.weights.lips:
            return {}
        with torch.no_grad():
            truth = self.reader(real)
        apart = F.smooth_l1_loss(self.reader(made), truth, beta=0.1)
        return {"lips": self.config.weights.lips * apart}

    def _learn_stills(self, random: np.random.Generator) -> dict[str, float]:
        batch, photo = material.stills(self.source, self.config.batch, self.step, random)
        target, seen = pictures(batch, DEVICE), enlarged(pictures(photo, DEVICE), self.config.model.size)
        own = len(target) - len(seen)
        with self._autocast():
            drawn = self.generator.encoder(target[:own])
            realistic = (self.photo if self.transferred else self.generator.encoder)(seen)
        content = Content(
            torch.cat([drawn.style, realistic.style]), torch.cat([drawn.offsets, realistic.offsets]), None
        )
        return self._portray(content, target)

    def _portray(
        self, content: Content, target: Tensor, told: dict[str, Tensor] | None = None
    ) -> dict[str, float]:
        """Whole pictures by styles alone, of content and, once the judges are heard, of noise."""
        weights = self.config.weights
        with self._autocast():
            made = self.generator.portray(content)
        made = made.float()
        parts = {
            "painted": weights.painted * (made - target).abs().mean(),
            "contours": weights.contours * losses.contours(made, target),
            "offset": weights.offset * content.offsets.float().square().sum(2).mean(),
        } | (told or {})
        judged = {}
        if self._judged():
            judged = self._compete(parts, small(target), small(made), content.style.float())
        return self._improve(parts) | judged

    def _learn_video(self, random: np.random.Generator) -> dict[str, float]:
        config, weights = self.config, self.config.weights
        size = max(config.batch // 4, 2)
        batch = material.spoken(self.source, size, self.step, random)
        video, still = (pictures(part, DEVICE) for part in (batch.video, batch.still))
        mel, wrong, mouth, controls, sliders = (
            torch.from_numpy(part).float()
            for part in (batch.mel, batch.wrong, batch.mouth, batch.controls, batch.sliders)
        )
        noise = torch.randn(size, config.frames, config.model.noise) * NOISE_SPREAD
        with self._autocast():
            content = self.generator.encoder(still)
            moves, heard, _ = self.generator.trajectory(
                mel, noise, controls, sliders, self.generator.start(size)
            )
            made = self.generator.draw(
                repeated(content, config.frames), moves.flatten(0, 1),
                still.repeat_interleave(config.frames, 0),
            )  # fmt: skip
        real = window(video)
        flat, target = made.shown.float(), real.flatten(0, 1)
        under = window(still).repeat_interleave(config.frames, 0)
        shown = flat.unflatten(0, real.shape[:2])
        parts = {
            "window": weights.painted * losses.pixels(made.painted.float(), target, under, self.weight),
            "shown": weights.shown * losses.pixels(flat, target, under, self.weight),
            "contours": weights.contours * losses.contours(flat, target, self.weight),
            "motion": weights.motion * losses.moved(shown, real),
            "visemes": weights.visemes * visemes(heard.float(), mouth),
        } | self._lips(flat, target)
        told: dict[str, float] = {}
        if self._judged():
            told |= self._argue("mouth", weights.frame, near(target), near(flat), parts)
            told |= self._watch(real, shown, mel, wrong, parts)
        return self._improve(parts) | told

    def _watch(
        self, real: Tensor, made: Tensor, mel: Tensor, wrong: Tensor, parts: dict[str, Tensor]
    ) -> dict[str, float]:
        """The judges of video and of sound: each learns, and adds its part."""
        weights, judges = self.config.weights, self.judges
        told: dict[str, float] = {}
        if weights.sequence:
            with self._autocast():
                loss = losses.judging(judges.sequence(real, mel), judges.sequence(made.detach(), mel))
            told |= self._advance_judge("sequence", loss)
            with self._autocast():
                parts["fool_sequence"] = weights.sequence * losses.persuasion(judges.sequence(made, mel))
        if weights.sync:
            first = torch.randint(real.shape[1] - SYNC_FRAMES + 1, (len(real),))
            each, middle = torch.arange(len(real)), first + SYNC_FRAMES // 2
            with self._autocast():
                good = judges.sync(fives(real, first), mel[each, middle])
                bad = judges.sync(fives(made.detach(), first), mel[each, middle])
                out_of_step = judges.sync(fives(real, first), wrong[each, middle])
                loss = 0.5 * losses.judging(good, bad) + 0.5 * losses.judging(good, out_of_step)
            told |= self._advance_judge("sync", loss)
            with self._autocast():
                said = judges.sync(fives(made, first), mel[each, middle])
            parts["fool_sync"] = weights.sync * losses.persuasion(said)
        return told

    def _compete(
        self, parts: dict[str, Tensor], real: Tensor, made: Tensor, style: Tensor
    ) -> dict[str, float]:
        """Pictures of content and of noise against the frame judge, styles of noise against their own."""
        weights = self.config.weights
        drawn = self.generator.mapping(torch.randn(len(style), self.config.model.z))
        told: dict[str, float] = {}
        if weights.latent:
            judge = self.judges.latent
            told |= self._advance_judge(
                "latent", losses.judging(judge(style.detach()), judge(drawn.detach()))
            )
            parts["fool_latent"] = weights.latent * losses.persuasion(judge(drawn))
        with self._autocast():
            styles = drawn[:SAMPLED, None].expand(-1, self.config.model.layers, -1)
            sampled = small(self.generator.synthesis(styles)[0].float())
        if self.step % self.config.r1_every == 0:
            penalty = losses.r1(self.judges.frame, real[:SAMPLED])
            self._advance_judge("frame", self.config.r1 * self.config.r1_every * penalty)
        return told | self._argue("frame", weights.portrait, real, torch.cat([made, sampled]), parts)

    def _argue(
        self, name: str, weight: float, real: Tensor, made: Tensor, parts: dict[str, Tensor]
    ) -> dict[str, float]:
        """A judge of pictures learns, and adds its part."""
        if not weight:
            return {}
        judge = getattr(self.judges, name)
        with self._autocast():
            good, bad = judge(self.ada(real)), judge(self.ada(made.detach()))
            loss = losses.judging(good, bad)
        told = self._advance_judge(name, loss)
        if name == "frame":
            self.ada.follow(good)
            told["ada"] = self.ada.probability
        with self._autocast():
            parts[f"fool_{name}"] = weight * losses.persuasion(judge(self.ada(made)))
        return told

    # -- steps ------------------------------------------------------------------------------------------

    def _advance_judge(self, name: str, loss: Tensor) -> dict[str, float]:
        taught = list(getattr(self.judges, name).parameters())
        frozen = self._frozen() if name == "frame" else set()
        optimiser = self._optimisers["judges"]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        for parameter in taught:
            if id(parameter) in frozen:
                parameter.grad = None
        nn.utils.clip_grad_norm_(taught, 5.0)
        optimiser.step()
        return {f"judge_{name}": loss.item()}

    def _frozen(self) -> set[int]:
        """Parameters of the frame judge that fine-tuning leaves as they are (freeze-D: arXiv 2002.10964)."""
        if self.name != "drawn" or not self.transferred:
            return set()
        judge = self.judges.frame
        kept = [judge.begin, *judge.blocks[: self.config.frozen]] if self.config.frozen else []
        return {id(parameter) for part in kept for parameter in part.parameters()}

    def _improve(self, parts: dict[str, Tensor]) -> dict[str, float]:
        optimiser = self._optimisers["generator"]
        optimiser.zero_grad(set_to_none=True)
        sum(parts.values(), torch.zeros(())).backward()
        nn.utils.clip_grad_norm_(self.generator.parameters(), 1.0)
        optimiser.step()
        return {name: part.item() for name, part in parts.items()}

    @torch.no_grad()
    def _follow(self) -> None:
        """The averaged generator comes nearer; in its first steps faster, or it would hold chance."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        for slow, fast in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)

    def _autocast(self) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=self.config.bf16)

    # -- keeping ----------------------------------------------------------------------------------------

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        self.config.out.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        state = {
            "nets": {name: net.state_dict() for name, net in self._nets().items()},
            "optimisers": {name: each.state_dict() for name, each in self._optimisers.items()},
            "stage": self.stage,
            "step": self.step,
            "ada": self.ada.probability,
            "history": self.history,
            "model": self.config.model.model_dump(),
        }
        torch.save(state, part)
        os.replace(part, self.path)

    def _nets(self) -> dict[str, nn.Module]:
        return {
            "generator": self.generator,
            "average": self.average,
            "photo": self.photo,
            "judges": self.judges,
            "likeness": self.likeness,
            "reader": self.reader,
        }

    def _resume(self, state: dict[str, Any]) -> None:
        for name, net in self._nets().items():
            net.load_state_dict(state["nets"][name])
        self.stage, self.step = state["stage"], state["step"]
        self.history = state["history"]
        if self.step:
            self._begin()
            for name, optimiser in self._optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
        self.ada.probability = state["ada"]

    def _start_from(self, state: dict[str, Any]) -> None:
        """Goes on from another run: its averaged generator, its judges, its encoder of photos."""
        self.generator.load_state_dict(state["nets"]["average"])
        self.judges.load_state_dict(state["nets"]["judges"])
        self.photo.load_state_dict(state["nets"]["photo"])
        self.likeness.load_state_dict(state["nets"]["likeness"])
        self.history = state["history"]

    def _take_ears(self, voice: Path) -> None:
        """The realistic face's audio encoder: both faces hear alike."""
        if not voice.is_file():
            raise ConfigError(f"{voice} does not exist.", fix="make faces")
        taken = {
            name.removeprefix("audio."): value.float()
            for name, value in load_file(voice).items()
            if name.startswith("audio.")
        }
        self.generator.audio.load_state_dict(taken)


def train(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")],
    minutes: Annotated[float, typer.Option(help="Stop after so long; run again to go on.")] = float("inf"),
) -> None:
    """Train the animated face; goes on where it stopped."""
    trainer = Trainer(load(config))
    with Board(trainer.config.out / "board") as board:
        done = trainer.run(minutes, board)
    print("\ndone" if done else f"\nstopped in stage {trainer.name}; run the same command to go on")


if __name__ == "__main__":
    typer.run(train)
