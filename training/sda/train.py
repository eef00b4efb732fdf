# mypy: allow-subclassing-any, allow-untyped-decorators
# mypy: disable-error-code="import-not-found, no-any-return"
"""Trains the talking face, resumably: `parley train sda CONFIG [--minutes M]`, or on many GPUs

    torchrun --nproc-per-node 8 -m training.sda.train CONFIG

Four stages: the audio encoder learns visemes from speech alone; the measuring networks learn from clips kept
for them; the generator learns to reconstruct; then against the three judges. Every number drawn comes from
the seed, the stage and the step, so a run that was stopped goes on bit for bit as if it had not been.
"""

import copy
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor, nn

from parley import consent
from parley.settings import Settings
from training.data.synthetic_faces.parameters import IDENTITIES
from training.keeping import follow, write_checkpoint
from training.sda import clips, losses, parallel
from training.sda.board import Board
from training.sda.config import STAGES, Config, Stage, load
from training.sda.discriminators import Judges
from training.sda.faces import LIPS
from training.sda.gauges import LipNet
from training.sda.loader import Loader, Place, Speech, Windows
from training.sda.losses import Looks, Material
from training.sda.model import NOISE_SPREAD, Generator
from training.sda.syncnet import SyncNet

BETAS = (0.5, 0.99)
SPEECH = (12, 60)  # clips of a batch, frames of each
GAUGED = (8, 28)


class Trainer:
    """A run: its networks, optimisers and place.

    Attributes:
        stage: Where it is; `len(STAGES)` when done.
        step: Steps done of that stage.

    Raises:
        ConfigError: There is no data for a stage.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.rank, self.processes, self.device = parallel.start()
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.generator, self.judges = Generator(config.model), Judges()
        self.sync, self.lips = SyncNet(), LipNet()
        if config.start_from is not None:
            self._start_from(torch.load(config.start_from, map_location="cpu", weights_only=True))
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        for net in self._nets().values():
            net.to(self.device)
        rates = config.rates
        self._optimisers = {
            "visemes": torch.optim.Adam(self.generator.audio.parameters(), rates.visemes),
            "gauges": torch.optim.Adam([*self.sync.parameters(), *self.lips.parameters()], rates.gauges),
            "generator": torch.optim.Adam(self.generator.parameters(), rates.generator, BETAS),
            "judges": torch.optim.Adam(self.judges.parameters(), rates.discriminators, BETAS),
        }
        self.stage = self.step = 0
        self._held_out: list[clips.Clip] = []
        if self.path.is_file():
            self._resume(torch.load(self.path, map_location=self.device, weights_only=True))

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.config.out / "state.pt"

    def run(self, minutes: float = float("inf"), board: Board | None = None) -> bool:
        """Trains until done or out of time; returns whether it is done."""
        deadline = time.monotonic() + 60 * minutes
        while self.stage < len(STAGES):
            with closing(self._loader()) as loader:
                if not self._run_stage(loader, deadline, board):
                    return False
            ended = STAGES[self.stage]
            self.stage, self.step = self.stage + 1, 0
            self.save()
            if self.rank == 0:  # what a comparison or another run may start from
                shutil.copy(self.path, self.path.with_name(f"{ended}.pt"))
        return True

    def _run_stage(self, loader: Loader[Any], deadline: float, board: Board | None) -> bool:
        name = STAGES[self.stage]
        learn = self._lessons()[name]
        while self.step < self.config.steps.of(name):
            torch.manual_seed(int(np.random.SeedSequence(self.place).generate_state(1)[0]))
            told = learn(loader.get(self.place))
            self.step += 1
            if board is not None:
                board.scalars(self, name, told)
            late = parallel.agree(time.monotonic() > deadline, self.device)
            if late or self.step % self.config.save_every == 0:
                self.save()
            if board is not None and self.step % self.config.show_every == 0:
                board.show(self)
            if late:
                return False
        return True

    @property
    def place(self) -> Place:
        """All that this step's random numbers depend on."""
        return self.config.seed, self.stage, self.step, self.rank

    def _loader(self) -> Loader[Any]:
        config, name = self.config, STAGES[self.stage]
        make: Callable[[Place], Any]
        if name == "visemes":
            make = Speech(config.speech, *SPEECH)
        elif name == "gauges":
            make = Windows(config.faces, "gauge", "", *GAUGED, 0.0)
        else:
            make = Windows(
                config.faces, "train", config.identity, config.batch, config.frames, config.blink_share
            )
        return Loader(make, config.loaders)

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        if self.rank:
            return
        state = {
            "nets": {name: net.state_dict() for name, net in self._nets().items()},
            "optimisers": {name: each.state_dict() for name, each in self._optimisers.items()},
            "stage": self.stage,
            "step": self.step,
            "model": self.config.model.model_dump(),
        }
        write_checkpoint(self.path, state)

    def steps_done(self) -> int:
        """Steps of all stages so far."""
        return sum(self.config.steps.of(name) for name in STAGES[: self.stage]) + self.step

    def rates(self) -> dict[str, float]:
        """Learning rates in force."""
        return {name: float(each.param_groups[0]["lr"]) for name, each in self._optimisers.items()}

    def held_out(self) -> list[clips.Clip]:
        """Held-out clips, loaded once.

        Raises:
            ConfigError: There are none.
        """
        if not self._held_out:
            self._held_out = clips.load(self.config.faces, "test", identity=self.config.identity)
        return self._held_out

    def _nets(self) -> dict[str, nn.Module]:
        return {
            "generator": self.generator,
            "average": self.average,
            "judges": self.judges,
            "sync": self.sync,
            "lips": self.lips,
        }

    def _start_from(self, state: dict[str, Any]) -> None:
        """Takes over weights: the averaged generator, judges and gauges of an earlier run."""
        self.generator.load_state_dict(state["nets"]["average"])
        self.judges.load_state_dict(state["nets"]["judges"])
        self.sync.load_state_dict(state["nets"]["sync"])
        self.lips.load_state_dict(state["nets"]["lips"])

    def _resume(self, state: dict[str, Any]) -> None:
        for name, net in self._nets().items():
            net.load_state_dict(state["nets"][name])
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.stage, self.step = state["stage"], state["step"]

    def _lessons(self) -> dict[Stage, Callable[[Any], dict[str, float]]]:
        return {
            "visemes": self._learn_visemes,
            "gauges": self._learn_gauges,
            "reconstruct": lambda batch: self._learn(batch, adversarial=False),
            "adversarial": lambda batch: self._learn(batch, adversarial=True),
        }

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bf16)

    def _advance(self, name: str, loss: Tensor, parameters: Iterator[nn.Parameter]) -> None:
        optimiser, taught = self._optimisers[name], list(parameters)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        parallel.average(taught)
        nn.utils.clip_grad_norm_(taught, 1.0)
        optimiser.step()

    def _learn_visemes(self, batch: tuple[clips.Floats, clips.Floats]) -> dict[str, float]:
        mel, truth = (torch.from_numpy(part).to(self.device) for part in batch)
        left = 1 - self.step / self.config.steps.visemes
        self._optimisers["visemes"].param_groups[0]["lr"] = self.config.rates.visemes * max(left, 0.05)
        state, _ = self.generator.start(len(mel), self.device)
        remembered, _ = self.generator.audio(mel, state)
        settled = 8  # frames, before the memory has heard enough to be judged
        loss = losses.visemes(self.generator.audio.mouth(remembered)[:, settled:], truth[:, settled:])
        self._advance("visemes", loss, self.generator.audio.parameters())
        self.average.load_state_dict(self.generator.state_dict())
        return {"visemes": loss.item()}

    def _learn_gauges(self, batch: clips.Batch) -> dict[str, float]:
        video, mel = pictures(batch.video, self.device), torch.from_numpy(batch.mel).to(self.device)
        contrast, light = torch.rand(2).tolist()
        video = video * (0.8 + 0.4 * contrast) + 0.3 * (light - 0.5)
        sync = self.sync.loss(video, mel)
        lips = torch.from_numpy(batch.landmarks[:, ::4, :LIPS]).to(self.device).flatten(0, 1)
        distance = self.lips.loss(video[:, ::4].flatten(0, 1), lips)
        self._advance(
            "gauges", sync + 0.1 * distance, iter([*self.sync.parameters(), *self.lips.parameters()])
        )
        return {"sync": sync.item(), "lips_px": distance.item()}

    def _learn(self, batch: clips.Batch, *, adversarial: bool) -> dict[str, float]:
        config = self.config
        self._set_rate()
        real = material(batch, self.device)
        noise = self.noise(config.batch, config.frames)
        with self._autocast():
            made, mouth = self.generator(real.still, real.mel, noise, real.controls)
        made = made.float()
        parts = losses.reconstruction(made, mouth.float(), real, config.weights, config.regions)
        told: dict[str, float] = {}
        if adversarial:
            looks = Looks.draw(config.batch, config.frames)
            with self._autocast():
                judged = losses.judging(self.judges, made, real, looks, config)
            if judged:
                self._advance("judges", sum(judged.values(), torch.zeros(())), self.judges.parameters())
            told |= {f"judge_{name}": part.item() for name, part in judged.items()}
            self.judges.requires_grad_(False)
            with self._autocast():
                parts |= losses.persuasion(self.judges, made, real, looks, config.weights)
        total = sum(parts.values(), torch.zeros((), device=self.device))
        self._advance("generator", total, self.generator.parameters())
        self.judges.requires_grad_(True)
        follow(self.average, self.generator, decay=self.config.ema, step=self.step)
        return told | {name: part.item() for name, part in parts.items()}

    def noise(self, batch: int, frames: int) -> Tensor:
        """What spontaneous motion grows from."""
        return (torch.randn(batch, frames, self.config.model.noise) * NOISE_SPREAD).to(self.device)

    def _set_rate(self) -> None:
        """Constant, then down to a twentieth over the last 40 % of the generator's steps."""
        steps = self.config.steps
        done = self.step + (steps.reconstruct if STAGES[self.stage] == "adversarial" else 0)
        share = done / max(steps.reconstruct + steps.adversarial, 1)
        rate = self.config.rates.generator * (1 if share < 0.6 else max((1 - share) / 0.4, 0.05))
        self._optimisers["generator"].param_groups[0]["lr"] = rate


def pictures(frames: np.ndarray[Any, np.dtype[np.uint8]], device: torch.device) -> Tensor:
    """uint8 [..., size, size, 3] to float32 [..., 3, size, size] in -1…1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).to(device).movedim(-1, -3).float() / 127.5 - 1


def material(batch: clips.Batch, device: torch.device) -> Material:
    """A batch as tensors."""
    return Material(
        pictures(batch.video, device),
        pictures(batch.still, device),
        *(
            torch.from_numpy(a).to(device)
            for a in (batch.mel, batch.wrong, batch.mouth, batch.controls, batch.lid)
        ),
    )


def train(
    config: Annotated[Path, typer.Argument(help="The run's YAML, e.g. training/configs/sda-128.yaml.")],
    minutes: Annotated[float, typer.Option(help="Stop after so long; run again to go on.")] = float("inf"),
    avatar: Annotated[str, typer.Option(help="Fine-tune on this avatar's clips alone.")] = "",
    start_from: Annotated[Path | None, typer.Option(help="Checkpoint that a fine-tune starts from.")] = None,
    out: Annotated[Path | None, typer.Option(help="Another folder than the file says.")] = None,
) -> None:
    """Train the talking face; goes on where it stopped.

    Raises:
        ConsentMissing: `avatar` is nobody of the synthetic people, and there is no consent record.
    """
    told: dict[str, Any] = {}
    if avatar:
        if avatar not in IDENTITIES:
            consent.require(Settings().avatars_dir / avatar, "face")
        told["identity"] = avatar
    if start_from is not None:
        told["start_from"] = start_from
    if out is not None:
        told["out"] = out
    trainer = Trainer(load(config).model_copy(update=told))
    if trainer.rank:
        trainer.run(minutes)
        return
    with Board(trainer.config.out / "board") as board:
        done = trainer.run(minutes, board)
    print("\ndone" if done else f"\nstopped in stage {STAGES[trainer.stage]}; run the same command to go on")


if __name__ == "__main__":
    typer.run(train)
