"""Settings of the gateway (PARLEY_GATEWAY_…, and the services' addresses)."""

from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from parley.settings import Settings


def _address(service: str, port: int) -> Any:
    return Field(
        default=f"127.0.0.1:{port}",
        validation_alias=f"PARLEY_{service.upper()}_ADDRESS",
        description=f"host:port of {service}.",
    )


class GatewaySettings(Settings):
    """What the gateway needs to know."""

    model_config = SettingsConfigDict(
        env_prefix="PARLEY_GATEWAY_", extra="forbid", frozen=True, populate_by_name=True
    )

    port: int = Field(8080, description="Port of the page, the HTTP API and the websocket.", ge=0, le=65535)
    max_sessions: int = Field(8, description="Conversations at once; beyond it 503.", ge=1)
    origins: str = Field(
        "", description="Comma-separated origins of other sites whose pages may use this server."
    )
    memory: str = Field(
        "",
        description="SQLite file for facts about people who ask to be remembered, and for answers that were "
        "rated; empty: neither is kept.",
    )
    resume_s: float = Field(300.0, description="How long a conversation can be resumed after it was left.")
    slow_client_s: float = Field(
        10.0, description="A client that cannot take what is sent for this long is cut."
    )
    video_deadline_s: float = Field(1.0, description="Video frames that waited longer than this are dropped.")
    drain_s: float = Field(8.0, description="Seconds that conversations get to come to a rest after SIGTERM.")
    asr_url: str = _address("asr", 50051)
    tts_url: str = _address("tts", 50052)
    llm_url: str = _address("llm", 50053)
    sda_url: str = _address("sda", 50054)

    def allowed_origins(self) -> frozenset[str]:
        """Origins other than the server's own, in lower case, without a trailing slash."""
        return frozenset(o.strip().rstrip("/").lower() for o in self.origins.split(",") if o.strip())

    def addresses(self) -> dict[str, str]:
        """host:port of each service, by its name."""
        return {"asr": self.asr_url, "llm": self.llm_url, "tts": self.tts_url, "sda": self.sda_url}
