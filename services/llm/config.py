"""Settings of the llm service."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from parley.service import ServiceSettings
from parley.settings import REPOSITORY
from services.llm.policy import DEFAULT as POLICY


class LlmSettings(ServiceSettings):
    """Read from PARLEY_LLM_…; what all services share, also from PARLEY_…."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_LLM_", extra="forbid", frozen=True)

    port: int = Field(default=50053, description="gRPC port.")
    metrics_port: int = Field(default=9093, description="Prometheus port.")
    engine: str = Field(default="notes", description="notes, vllm, transformer or fake.")

    policy: Path = Field(default=POLICY, description="What every avatar refuses; see policy.md.")
    cache_dir: Path = Field(
        default=REPOSITORY / ".cache" / "llm", description="Keeps the vectors of notes from start to start."
    )
    tools: Path | None = Field(
        default=None, description="vllm: YAML file of MCP servers whose functions the mind may call."
    )

    url: str = Field(default="", description="vllm: base URL of an OpenAI-compatible server, ending in /v1.")
    model: str = Field(
        default="",
        description="vllm: model to ask for, unless the avatar has an adapter; empty: the server's first.",
    )
    key: str = Field(default="", description="vllm: bearer token for the server.", repr=False)
    context_tokens: int = Field(
        default=4096, description="vllm: the model's context, unless the server tells.", ge=256
    )
    history_tokens: int = Field(
        default=2000, description="vllm: a talk longer than that is continued from a summary.", ge=100
    )
    output_tokens: int = Field(default=300, description="vllm: longest reply.", ge=1)
    temperature: float = Field(default=0.6, description="vllm: sampling temperature.", ge=0, le=2)
    connect_s: float = Field(default=2.0, description="vllm: seconds to connect.", gt=0)
    first_token_s: float = Field(
        default=8.0, description="vllm: seconds to the first token, retries included.", gt=0
    )
    next_token_s: float = Field(default=4.0, description="vllm: seconds between tokens.", gt=0)
    prefill: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="vllm: the server reads a turn while it is spoken; auto: if it says that it keeps it.",
    )

    transformer: Path = Field(
        default=Path("data/llm/served"),
        description="transformer: folder of an exported model; LoRA adapters in its `adapters`.",
    )
    transformer_tokens: int = Field(default=96, description="transformer: longest reply.", ge=1)
    transformer_grounded: bool = Field(
        default=True, description="transformer: says only sentences of the notes in front of it."
    )
    transformer_unknown_bias: float = Field(
        default=-2.0,
        description="transformer: how readily it says, grounded, that it does not know (a logit).",
    )
    transformer_retrieves: bool = Field(
        default=True, description="transformer: is given notes; without, it answers from memory alone."
    )

    fake_reply: str = Field(
        default="You said: {heard}. That is all, thank you.", description="fake: what to answer."
    )
    fake_delay_s: float = Field(default=0.0, description="fake: seconds before each word.", ge=0)
