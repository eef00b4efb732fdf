"""Settings of the tts service, from PARLEY_TTS_…"""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from parley.service import ServiceSettings


class TtsSettings(ServiceSettings):
    """What the tts service needs beyond `ServiceSettings`."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_TTS_")

    port: int = Field(50052, description="gRPC port.")
    metrics_port: int = Field(9092, description="Prometheus port.")
    engine: str = Field("embedded", description="embedded | festival | flite | fastpitch | coqui | fake")
    model: str = Field(
        "",
        description="fastpitch: folder of one more voice. coqui: folder of a checkpoint.",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="coqui: where it computes.")
    semitones: float = Field(
        0.0, description="fastpitch, coqui: how much higher than its own a voice speaks.", ge=-12, le=12
    )
    pool: int = Field(
        2, description="Festival processes kept alive: clauses synthesised at once.", ge=1, le=32
    )
    watermark: int | None = Field(
        None,
        description="16 bits that all speech carries inaudibly, live speech too; unset: it is not marked.",
        ge=0,
        le=0xFFFF,
    )
    ahead_ms: int = Field(
        2000, description="Speech sent ahead of what the client has played.", ge=200, le=10_000
    )
