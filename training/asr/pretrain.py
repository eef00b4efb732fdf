# mypy: disable-error-code="import-not-found, no-any-return"
"""Trains a small Whisper from nothing on synthetic voices, resumably.

    python -m training.asr.pretrain training/configs/asr-small.yaml [--minutes M]

First the encoder alone learns which phone sounds when, which a synthesiser tells: a decoder that has nothing
to look at learns a language model, and then ignores the sound. Then both learn, and the phones help on.
Everything drawn comes from the seed and the step, so a run that was stopped goes on as if it had not been.
"""

import math
import os
import time
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import torch
import torch.nn.functional as F
import typer
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from parley.errors import ConfigError
from parley.media.clock import SAMPLE_RATE_HZ
from parley.wer import word_errors
from training.asr import whisper
from training.asr.clips import publish
from training.asr.features import Features, Hearing, masked, noise
from training.asr.judge import PAUSE_SAMPLES
from training.asr.sentences import kept_sentences, training_sentences
from training.asr.speech import SEEN, UNSEEN, Spoken, collect
from training.asr.tokens import IGNORED, Codec, Lesson, small_tokenizer
from training.sda import augment

PAUSE: Final = "pau"
FRAME_S: Final = 0.02  # of the encoder
_BETAS: Final = (0.9, 0.98)
_SMOOTHING: Final = 0.05
_REHEARSED: Final = 3000
_ANCHOR_VOICES: Final = 3  # that say each sentence


class Strict(BaseModel):
    """A mistyped key fails."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Net(Strict):
    """Size; the heads are 64 wide."""

    width: int = 128
    encoder: int = 3
    decoder: int = 2
    pieces: int = 420
    dropout: float = 0.05


class Config(Strict):
    """A run.

    Attributes:
        speech: Folder of the synthetic clips.
        out: Checkpoint, and at the end the model.
        clips: How many are learnt from.
        tested: Sentences that are kept for tests.
        anchored: Sentences more that are kept, by which a fine-tune sees whether it forgets.
        variants: Ways in which each clip is spoilt.
        batch: Clips a step.
        phones: Steps of the first stage.
        steps: Of both.
        rate: The highest learning rate.
        prompted: Share of clips that come with words to expect, right ones and others.
        silent: Share of each batch in which nobody speaks.
    """

    speech: Path
    out: Path
    seed: int = 1
    clips: int = 9000
    tested: int = 120
    anchored: int = 120
    variants: int = 2
    batch: int = 32
    phones: int = 600
    steps: int = 3600
    rate: float = 2e-3
    prompted: float = 0.2
    silent: float = 0.03
    threads: int = 1
    bf16: bool = True
    save_every: int = 100
    net: Net = Net()


def load_config(path: Path) -> Config:
    """Reads a YAML file.

    Raises:
        ConfigError: It is missing or wrong.
    """
    try:
        return Config.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error


class Pretrainer:
    """A run: model, ear for phones, optimiser and place."""

    def __init__(self, config: Config) -> None:
        self.config = config
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        texts = training_sentences(config.clips, config.tested + config.anchored)
        self.clips = collect(config.speech / "train", texts, SEEN, seed=config.seed)
        self.words = sorted({word for text in texts for word in text.split()})
        self.tokenizer = small_tokenizer(texts, config.net.pieces)
        self.codec = Codec(self.tokenizer, multilingual=False)
        net = config.net
        self.model = whisper.new(
            self.tokenizer, width=net.width, encoder=net.encoder, decoder=net.decoder, dropout=net.dropout
        )
        heard = {PAUSE} | {symbol for clip in self.clips for symbol, _ in clip.phones}
        self._phone = {symbol: number for number, symbol in enumerate(sorted(heard))}
        self.phones = nn.Linear(net.width, len(self._phone))
        parameters = [*self.model.parameters(), *self.phones.parameters()]
        self.optimiser = torch.optim.AdamW(parameters, config.rate, betas=_BETAS, weight_decay=0.01)
        self.step = 0
        self._hearing = Hearing()
        self._lengths = np.array([len(clip.audio) for clip in self.clips])
        self._known: dict[tuple[int, int], tuple[NDArray[np.float16], NDArray[np.int64]]] = {}
        if self.path.is_file():
            state = torch.load(self.path, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.phones.load_state_dict(state["phones"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step = state["step"]

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.config.out / "state.pt"

    def run(self, minutes: float = math.inf) -> bool:
        """Trains until done, or out of processor time; returns whether it is done."""
        began, self.model = time.process_time(), self.model.train()
        while self.step < self.config.steps:
            told = self._learn()
            self.step += 1
            late = time.process_time() - began > 60 * minutes
            if late or self.step % self.config.save_every == 0:
                self.save()
                pace = (time.process_time() - began) / 60
                print(f"step {self.step}/{self.config.steps} {pace:.1f} min of CPU", told, flush=True)
            if late:
                return False
        return True

    def save(self) -> None:
        """Writes the checkpoint, whole or not at all."""
        self.config.out.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        state = {
            "model": self.model.state_dict(),
            "phones": self.phones.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        torch.save(state, part)
        os.replace(part, self.path)

    def _learn(self) -> dict[str, float]:
        config, random = self.config, np.random.default_rng([self.config.seed, self.step])
        torch.manual_seed(int(random.integers(2**31)))
        features, phones, lessons = self._batch(random)
        read, asked = whisper.teach(lessons, self.codec.end)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bf16):
            encoded = whisper.encode(self.model, whisper.window(features, full=False))
            sounds = self.phones(encoded)
            both = self.step >= config.phones
            logits = whisper.decode(self.model, read, encoded) if both else None
        loss = self._listening(sounds, phones)
        told = {"phones": round(loss.item(), 3)}
        if logits is not None:
            words = F.cross_entropy(
                logits.float().flatten(0, 1),
                asked.flatten(),
                ignore_index=IGNORED,
                label_smoothing=_SMOOTHING,
            )
            loss, told = 0.3 * loss + words, told | {"words": round(words.item(), 3)}
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        return told

    def _rate(self) -> float:
        """A short rise, then half a cosine."""
        done = self.step / self.config.steps
        return self.config.rate * min(1.0, self.step / 200) * (1 + math.cos(math.pi * done)) / 2 + 1e-6

    def _batch(
        self, random: np.random.Generator
    ) -> tuple[list[Features], list[NDArray[np.int64]], list[Lesson]]:
        """Clips of about one length, as little padding as can be; and the phone of every frame of each."""
        config = self.config
        anchor = len(self.clips[int(random.integers(len(self.clips)))].audio)
        near = np.abs(self._lengths - anchor)
        chosen = random.permutation(np.argsort(near)[: 8 * config.batch])[: config.batch]
        features, phones, lessons = [], [], []
        for index in chosen:
            text = ""
            if random.random() < config.silent:
                made = self._hearing(noise(random))
                sounds = np.full(made.shape[1] // 2, self._phone[PAUSE])
            else:
                text = self.clips[int(index)].text
                made, sounds = self._features(int(index), random)
            # Another vocal tract each time: few voices, many throats.
            features.append(masked(augment.warped(made.T, random).T, random))
            phones.append(sounds)
            lessons.append(self.codec.lesson(text, self._expected(text, random)))
        return features, phones, lessons

    def _expected(self, text: str, random: np.random.Generator) -> list[str]:
        if random.random() >= self.config.prompted:
            return []
        right = [w for w in dict.fromkeys(text.split()) if random.random() < 0.3]
        others = random.choice(self.words, int(random.integers(1, 10)), replace=False)
        return [str(word) for word in random.permutation([*right, *others])]

    def _features(self, index: int, random: np.random.Generator) -> tuple[Features, NDArray[np.int64]]:
        variant = int(random.integers(self.config.variants))
        if (index, variant) not in self._known:
            own = np.random.default_rng([self.config.seed, index, variant])
            spoilt, lead_s = self._hearing.spoilt(self.clips[index].audio, own)
            frames = spoilt.shape[1] // 2
            self._known[index, variant] = spoilt.astype(np.float16), self._sounds(index, lead_s, frames)
        features, sounds = self._known[index, variant]
        return features.astype(np.float32), sounds

    def _sounds(self, index: int, lead_s: float, frames: int) -> NDArray[np.int64]:
        """The phone in the middle of each of the encoder's frames, int64 [frames]."""
        phones = self.clips[index].phones
        at = ((np.arange(frames) + 0.5) * FRAME_S - lead_s) * SAMPLE_RATE_HZ
        which = np.searchsorted([end for _, end in phones], at, side="right")
        numbers = np.array([self._phone[symbol] for symbol, _ in phones] + [self._phone[PAUSE]])
        sounds: NDArray[np.int64] = np.where(at < 0, self._phone[PAUSE], numbers[which])
        return sounds

    def _listening(self, sounds: Tensor, phones: list[NDArray[np.int64]]) -> Tensor:
        asked = torch.full(sounds.shape[:2], IGNORED)
        for row, each in zip(asked, phones, strict=True):
            row[: len(each)] = torch.from_numpy(each)
        return F.cross_entropy(sounds.float().flatten(0, 1), asked.flatten(), ignore_index=IGNORED)


def tests(config: Config) -> dict[str, list[Spoken]]:
    """Held-out sentences, in voices that are learnt from and in voices that are not."""
    texts = kept_sentences(config.tested)
    return {
        "seen voices": collect(config.speech / "seen", texts, SEEN, seed=100),
        "unseen voices": collect(config.speech / "unseen", texts, UNSEEN, seed=101),
    }


def anchors(config: Config) -> list[Spoken]:
    """Sentences that are neither learnt nor tested, in voices that are learnt from."""
    texts = kept_sentences(config.tested + config.anchored)[config.tested :]
    return collect(config.speech / "anchor", _ANCHOR_VOICES * texts, SEEN, seed=102)


def word_error_rate(trainer: Pretrainer, clips: list[Spoken]) -> float:
    """Of greedy transcripts, 0…1."""
    hearing, trainer.model = Hearing(), trainer.model.eval()
    errors = np.zeros(2)
    for first in range(0, len(clips), 20):
        batch = clips[first : first + 20]
        features = [hearing(np.pad(clip.audio, PAUSE_SAMPLES)) for clip in batch]
        heard = whisper.transcribe(trainer.model, trainer.codec, features, full=False)
        errors += np.sum([word_errors(c.text, h) for c, h in zip(batch, heard, strict=True)], axis=0)
    return float(errors[0] / errors[1])


def pretrain(
    config: Annotated[Path, typer.Argument(help="The run's YAML.")] = Path("training/configs/asr-small.yaml"),
    minutes: Annotated[float, typer.Option(help="Processor minutes; run again to go on.")] = math.inf,
) -> None:
    """Train the small Whisper; goes on where it stopped.

    Beside its clips it writes what a fine-tune needs so as not to forget: `rehearse.jsonl` is learnt along,
    by `anchor.jsonl` it sees how much it forgets, and by `general.jsonl` it is judged.
    """
    trainer = Pretrainer(load_config(config))
    done = trainer.run(minutes)
    whisper.save(trainer.model, trainer.tokenizer, trainer.config.out / "model")
    held_out = tests(trainer.config)
    for name, clips in held_out.items():
        print(f"{name}: WER {word_error_rate(trainer, clips):.1%}", flush=True)
    speech = trainer.config.speech
    publish(speech / "general.jsonl", [(c.audio, c.text) for each in held_out.values() for c in each])
    publish(speech / "anchor.jsonl", [(c.audio, c.text) for c in anchors(trainer.config)])
    publish(speech / "rehearse.jsonl", [(c.audio, c.text) for c in trainer.clips[:_REHEARSED]])
    print("done" if done else f"step {trainer.step} of {trainer.config.steps}; run it again to go on")


if __name__ == "__main__":
    typer.run(pretrain)
