"""Settings of the sda service."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from parley.service import ServiceSettings


class SdaSettings(ServiceSettings):
    """Read from PARLEY_SDA_…; what all services share, also from PARLEY_…."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_SDA_", extra="forbid", frozen=True)

    port: int = Field(50054, description="gRPC port.")
    metrics_port: int = Field(9094, description="Prometheus port.")
    engine: str = Field(
        "auto", description="auto (by each avatar's manifest), gan, animated, visemes or fake."
    )
    batch: int = Field(
        0, description="Frames of all sessions drawn in one go; 0: 32 on a GPU, 1 on a CPU.", ge=0, le=256
    )
    threads: int = Field(2, description="Threads that draw and encode; sessions take turns on them.", ge=1)
    ahead_ms: int = Field(2000, description="How far the face may run ahead of what was played.", ge=200)
