"""The YAML of a fine-tune of the ears. A mistyped key fails."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from parley.errors import ConfigError
from parley.settings import REPOSITORY


class Strict(BaseModel):
    """A mistyped key fails."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Lora(Strict):
    """Low-rank adapters (Hu et al. 2021) on the attention, instead of all weights."""

    rank: int = Field(16, ge=1)
    alpha: int = 32
    dropout: float = 0.05


class Lexicon(Strict):
    """New words, said in carrier sentences.

    Attributes:
        words: More words than reviewers taught, with their pronunciations (ARPAbet).
        voices: Voices of the embedded synthesisers that say them, engine/voice.
        sentences: Carrier sentences a word and voice.
        weight: Of such a clip beside a corpus clip of weight 1.
    """

    words: dict[str, str] = {}
    voices: tuple[str, ...] = ("flite/slt", "flite/rms", "flite/awb", "flite/kal16")
    sentences: int = Field(4, ge=0)
    weight: float = Field(0.5, ge=0)


class Config(Strict):
    """A fine-tune.

    Attributes:
        engine: Whose: all of this for `whisper`; for `sphinx` only its language model.
        voice: For `sphinx`: its Gaussians are moved towards the corpus' voice, too, if the gate lets it pass.
            That pays for ears that hear one person only.
        name: Of the model that comes out; a round of its own needs a name of its own.
        start: A Whisper of transformers': folder or hub name.
        corpus: Folder with `handover/`.
        general: What must not be forgotten: a JSONL of clips as the hand-over stage writes them, paths
            relative to its folder.
        rehearse: Clips of the same kind that are learnt along with the corpus, so that less is forgotten.
        rehearsed: Share of each batch that they are.
        anchor: More general speech, which is neither learnt nor judged by. With it, the model that comes out
            is a mean of its weights before and after (WiSE-FT, arXiv 2109.01903): of the means that hear
            these clips no worse than before, the one that hears the development set best.
        out: Checkpoints, TensorBoard events, the report.
        models: Where models are served from; `asr/manifest.json` in it says which is current.
        language: Two letters.
        windows: "full": 30 s each, as Whisper was made; "short": no longer than the sound, which is many
            times cheaper, for a model that was trained so.
        lora: None: all weights are tuned.
        steps: At most.
        batch: Clips a step.
        rate: The highest learning rate.
        warmup: Steps until then.
        ema: Decay of the averaged weights, which are what comes out; 0: the weights as they are.
        variants: Ways in which each clip is spoilt.
        prompted: Share of clips that come with words to expect.
        evaluate_every: Steps between looks at the development set.
        patience: Looks without fewer word errors before it stops.
    """

    engine: Literal["whisper", "sphinx"] = "whisper"
    voice: bool = False
    name: str = Field(pattern=r"^[\w][\w.-]*$")
    start: str = ""
    corpus: Path
    general: Path
    rehearse: Path | None = None
    rehearsed: float = Field(0.3, ge=0, lt=1)
    anchor: Path | None = None
    out: Path
    models: Path = REPOSITORY / "models"
    language: str = "en"
    windows: Literal["short", "full"] = "full"
    lora: Lora | None = None
    lexicon: Lexicon = Lexicon()
    seed: int = 1
    steps: int = Field(600, ge=1)
    batch: int = Field(16, ge=1)
    rate: float = 1e-5
    warmup: int = 30
    ema: float = Field(0.98, ge=0, lt=1)
    variants: int = Field(4, ge=1)
    prompted: float = Field(0.2, ge=0, le=1)
    evaluate_every: int = Field(50, ge=1)
    patience: int = Field(4, ge=1)
    threads: int = 1
    bf16: bool = False


def load(path: Path) -> Config:
    """Reads a YAML file; its paths count from the repository.

    Raises:
        ConfigError: It is missing or wrong; the message says where.
    """
    try:
        config = Config.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if config.engine == "whisper" and not config.start:
        raise ConfigError(
            f"{path}: `start` names no Whisper.", fix="A folder, or a hub name: openai/whisper-small.en."
        )
    placed = {name: REPOSITORY / getattr(config, name) for name in ("corpus", "general", "out", "models")}
    optional = {"rehearse": config.rehearse, "anchor": config.anchor}
    placed |= {name: REPOSITORY / path for name, path in optional.items() if path is not None}
    start = REPOSITORY / config.start
    return config.model_copy(update=placed | ({"start": str(start)} if start.is_dir() else {}))
