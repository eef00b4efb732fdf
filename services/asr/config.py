"""Settings of the ears."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from parley.service import ServiceSettings
from parley.settings import REPOSITORY


class AsrSettings(ServiceSettings):
    """PARLEY_ASR_…; what all processes share is read from PARLEY_… too."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_ASR_", extra="forbid", frozen=True)

    port: int = Field(50051, description="gRPC port.")
    metrics_port: int = Field(9091, description="Prometheus port.")
    engine: Literal["auto", "sphinx", "whisper", "fake"] = Field(
        "auto", description="auto: whisper if its weights are installed, else sphinx."
    )
    model: str = Field(
        "",
        description="Whisper only: CTranslate2 folder or hub name; empty: see models/asr/manifest.json.",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="Whisper only.")
    compute: Literal["auto", "int8", "int8_float16", "float16", "bfloat16", "float32"] = Field(
        "auto", description="Whisper only: arithmetic; auto: int8 on a processor, float16 on a GPU."
    )
    vad_threshold: float = Field(0.5, description="Probability that counts as speech.", gt=0, lt=1)
    threads: int = Field(2, description="Sessions whose speech is recognised at the same moment.", ge=1)
    warm: int = Field(
        2, description="Sphinx only: decoders (90 MB each) loaded ahead of the first sessions.", ge=0
    )
    conversational: bool = Field(
        True, description="Sphinx only: its language model is adapted to conversation, once, in five seconds."
    )
    cache_dir: Path = Field(
        REPOSITORY / ".cache" / "asr", description="Sphinx only: folder that keeps the adapted model (27 MB)."
    )
    fake_words: str = Field(
        "hello there how are you today", description="Fake only: one word is heard per 300 ms of sound."
    )
