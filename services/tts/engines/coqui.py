# mypy: disable-error-code="import-not-found, no-any-return"
"""coqui-tts, optional: VITS models with their own speakers, and XTTS v2, which clones a voice from a clip.

The model stays loaded; clauses come one at a time, since PyTorch's models are not re-entrant. PyTorch and
coqui-tts are imported only when this engine is chosen.
"""

import hashlib
import json
import os
import pickle
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from parley.engines import Audio, SpeechChunk, TimedPhone
from parley.errors import EngineUnavailable
from parley.media.audio import Resampler, resample
from parley.media.clock import SAMPLE_RATE_HZ
from services.tts.config import TtsSettings
from services.tts.engines.coqui_text import respelled, symbols, timed
from services.tts.engines.spoken import Token, tokens

XTTS_LICENCE: Final = "https://tts-hub.github.io/cpml"
AGREED: Final = "tos_agreed.txt"  # what coqui-tts's own downloader leaves where somebody agreed
TERMS: Final = "PARLEY_XTTS_TERMS"  # "agreed": where nobody sits at a keyboard, as in a container
_INSTALL: Final = 'Run `pip install "torch==2.13.0" -e ".[coqui]"`; more in services/tts/README.md.'
_CHUNK_TOKENS: Final = 12  # of XTTS before the first speech: half a second


class Model(Protocol):
    """One loaded checkpoint."""

    kind: str
    has_phones: bool

    def voices(self) -> Sequence[str]:
        """Names of its speakers."""

    def speak(self, words: Sequence[Token], voice: str, speed: float) -> Iterator[SpeechChunk]:
        """At 24 kHz, as it comes."""


class CoquiEngine:
    """Speaks with a coqui-tts checkpoint.

    Args:
        model: Loaded.
        semitones: How much higher than its own a voice speaks: spoken slower, then played faster.
    """

    name = "coqui"

    def __init__(self, model: Model, *, semitones: float = 0.0) -> None:
        self._model, self._higher = model, 2 ** (semitones / 12)
        self._lock = threading.Lock()
        self.has_phones = model.has_phones
        self.model = f"coqui-tts: {model.kind}"

    def voices(self) -> Sequence[str]:
        """The checkpoint's speakers, or for XTTS the clips to clone."""
        return self._model.voices()

    def synthesize(self, clause: str, *, voice: str, speed: float = 1.0) -> Iterator[SpeechChunk]:
        """Speech of one clause; nothing when there is no word in it. Same clause, same samples.

        Raises:
            EngineUnavailable: There is no such voice.
        """
        known = self.voices()
        if voice not in known:
            raise EngineUnavailable(
                f"This model has no voice {voice!r}.", fix=f"Choose one of {', '.join(known)}."
            )
        words = tokens(clause)
        if not words:
            return
        import torch

        rate = round(SAMPLE_RATE_HZ * self._higher)
        higher, made = Resampler(rate, SAMPLE_RATE_HZ), 0
        with self._lock, torch.inference_mode():
            torch.manual_seed(int.from_bytes(hashlib.sha256(clause.encode()).digest()[:4], "little"))
            for chunk in self._model.speak(words, voice, speed / self._higher):
                made += len(chunk.audio)
                ends = [TimedPhone(p.symbol, p.end * SAMPLE_RATE_HZ // rate) for p in chunk.phones]
                yield SpeechChunk(higher.push(chunk.audio), ends)
            yield SpeechChunk(higher.push(np.zeros(0, np.float32), last=True))

    def close(self) -> None:
        """Nothing to end."""


class Vits:
    """A VITS checkpoint. One whose input is phones tells their times: its alignment is its durations.

    Args:
        folder: Holds config.json, and model.pth or best_model.pth.
    """

    kind = "VITS"

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        from TTS.tts.configs.vits_config import VitsConfig
        from TTS.tts.models.vits import Vits as Network

        config = VitsConfig()
        config.load_json(str(_wanted(folder, "config.json")))
        weights = folder / "best_model.pth"
        weights = weights if weights.is_file() else _wanted(folder, "model.pth")
        self._net = Network.init_from_config(config)
        with _readable(weights):
            self._net.load_checkpoint(config, str(weights), eval=True)
        self._net.to(device)
        self._rate = int(config.audio.sample_rate)
        self._hop = int(config.audio.hop_length)
        self.has_phones = bool(config.use_phonemes)
        self._scale = float(self._net.length_scale)
        names = getattr(self._net.speaker_manager, "name_to_id", None) or {}
        self._speakers: Mapping[str, int] = names or {"default": 0}
        self._many = bool(names)

    def voices(self) -> Sequence[str]:
        """The speakers that it was trained on."""
        return tuple(self._speakers)

    def speak(self, words: Sequence[Token], voice: str, speed: float) -> Iterator[SpeechChunk]:
        """The whole clause at once: VITS is not autoregressive, and its clauses are short."""
        import torch

        self._net.length_scale = self._scale / speed
        coder = self._net.tokenizer
        text = self._phonemes(words) if self.has_phones else respelled(words)
        ids = coder.encode(text)
        if coder.add_blank:
            ids = coder.intersperse_blank_char(ids)
        if coder.use_eos_bos:
            ids = coder.pad_with_bos_eos(ids)
        device = self._net.device
        who = torch.tensor([self._speakers[voice]], device=device) if self._many else None
        told = torch.tensor([ids], device=device)
        made = self._net.inference(told, {"speaker_ids": who, "x_lengths": None})
        audio = made["model_outputs"][0, 0].cpu().numpy()
        frames = made["alignments"][0].sum(-1).cpu().numpy().reshape(-1)[: len(ids)]
        yield SpeechChunk(
            resample(audio, self._rate, SAMPLE_RATE_HZ), self._phones(ids, frames) if self.has_phones else ()
        )

    def _phonemes(self, words: Sequence[Token]) -> str:
        """IPA, by the model's own phonemiser, with the lexicon's pronunciations in their places."""
        told = self._net.tokenizer.phonemizer
        return " ".join(
            (symbols(word.phones) if word.phones else told.phonemize(word.word, separator="")) + word.mark
            for word in words
        )

    def _phones(self, ids: Sequence[int], frames: Sequence[float]) -> list[TimedPhone]:
        written = [self._net.tokenizer.decode([number]) for number in ids]
        ends = np.cumsum(frames) * self._hop * SAMPLE_RATE_HZ / self._rate
        return timed(written, ends)


class Xtts:
    """XTTS v2: speaks as whoever is heard in a clip, and streams.

    Args:
        folder: Holds config.json, model.pth and vocab.json, and references/*.wav, the clips to clone;
            speakers_xtts.pth adds its speakers.
        language: BCP-47.

    Raises:
        EngineUnavailable: Nobody agreed to the licence, a file is missing or damaged, or there is no voice.
    """

    kind = "XTTS"
    has_phones = False  # its attention tells no phones

    def __init__(self, folder: Path, device: str = "cpu", language: str = "en") -> None:
        if not (folder / AGREED).is_file() and os.environ.get(TERMS) != "agreed":
            raise EngineUnavailable(
                f"XTTS in {folder} stands under the Coqui Public Model License ({XTTS_LICENCE}), which "
                "forbids commercial use, and nobody has agreed to it here.",
                fix=f"Read it; `python -m services.tts.fetch {folder}` asks whether you agree, or set "
                f"{TERMS}=agreed.",
            )
        from TTS.tts.configs.xtts_config import XttsConfig
        from TTS.tts.models.xtts import Xtts as Network

        config = XttsConfig()
        config.load_json(str(_wanted(folder, "config.json")))
        weights, vocabulary = _wanted(folder, "model.pth"), _wanted(folder, "vocab.json")
        self._net = Network.init_from_config(config)
        with _readable(weights):
            self._net.load_checkpoint(
                config, checkpoint_dir=str(folder), vocab_path=str(vocabulary), eval=True
            )
        self._net.to(device)
        self._clips = {path.stem: path for path in sorted((folder / "references").glob("*.wav"))}
        managed = self._net.speaker_manager
        self._speakers: Mapping[str, Any] = managed.speakers if managed is not None else {}
        if not self.voices():
            raise EngineUnavailable(
                f"XTTS in {folder} has no voice.",
                fix=f"Put clips of 6 to 30 s, each one person's, into {folder / 'references'} as NAME.wav.",
            )
        self._language = language
        self._known = lru_cache(maxsize=64)(self._conditioned)

    def voices(self) -> Sequence[str]:
        """Clips to clone, then the model's own speakers."""
        return (*self._clips, *(name for name in self._speakers if name not in self._clips))

    def speak(self, words: Sequence[Token], voice: str, speed: float) -> Iterator[SpeechChunk]:
        """As it is decoded."""
        latent, embedding = self._known(voice)
        rate = Resampler(int(self._net.args.output_sample_rate), SAMPLE_RATE_HZ)
        for part in self._net.inference_stream(
            respelled(words),
            self._language,
            latent,
            embedding,
            stream_chunk_size=_CHUNK_TOKENS,
            speed=speed,
        ):
            yield SpeechChunk(rate.push(_plain(part)))
        yield SpeechChunk(rate.push(np.zeros(0, np.float32), last=True))

    def _conditioned(self, voice: str) -> tuple[Any, Any]:
        """What the model needs of a speaker; once computed, kept."""
        if voice not in self._clips:
            kept = self._speakers[voice]
            return kept["gpt_cond_latent"], kept["speaker_embedding"]
        import soundfile
        import torch

        heard, rate = soundfile.read(self._clips[voice], dtype="float32", always_2d=True)
        wave = torch.from_numpy(resample(heard.mean(1), rate, 22_050))[None]
        latent = self._net.get_gpt_cond_latents(wave, 22_050, length=30, chunk_length=6)
        return latent, self._net.get_speaker_embedding(wave, 22_050)


def load_coqui(settings: TtsSettings) -> CoquiEngine:
    """The engine with the checkpoint that PARLEY_TTS_MODEL names: a folder, or one that was fetched by name.

    Raises:
        EngineUnavailable: coqui-tts is not installed, the checkpoint is missing or damaged, or nobody agreed
            to its licence; the message names the file and the command.
    """
    folder = _folder(settings.model)
    try:
        told = json.loads(_wanted(folder, "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(folder / "config.json", error) from error
    kind = told.get("model")
    makers: Mapping[str, type[Vits] | type[Xtts]] = {"vits": Vits, "xtts": Xtts}
    if kind not in makers:
        raise EngineUnavailable(
            f"{folder / 'config.json'} is of a {kind!r} model.", fix="Choose a VITS or an XTTS checkpoint."
        )
    try:
        return CoquiEngine(makers[kind](folder, settings.device), semitones=settings.semitones)
    except ImportError as error:
        raise EngineUnavailable(f"The coqui engine cannot be imported: {error}", fix=_INSTALL) from error


def _folder(model: str) -> Path:
    if not model:
        raise EngineUnavailable(
            "The coqui engine needs a checkpoint.",
            fix="Set PARLEY_TTS_MODEL to its folder; `python -m services.tts.fetch NAME --out DIR` gets one.",
        )
    return Path(model)


def _wanted(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise EngineUnavailable(f"{path} is missing.", fix=_fetch(folder))
    return path


def _damaged(path: Path, why: Exception) -> EngineUnavailable:
    return EngineUnavailable(f"{path} is damaged: {str(why).splitlines()[0]}", fix=_fetch(path.parent))


def _fetch(folder: Path) -> str:
    return f"Fetch it again: `python -m services.tts.fetch HUB_NAME --out {folder}`, or copy it there."


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns what a damaged checkpoint raises into an error that names it."""
    broken = (pickle.UnpicklingError, RuntimeError, KeyError, EOFError, OSError)
    try:
        yield
    except broken as error:
        raise _damaged(path, error) from error


def _plain(wave: Any) -> Audio:
    samples: Audio = wave.detach().cpu().numpy().astype(np.float32).reshape(-1)
    return samples
