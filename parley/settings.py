"""Settings from the environment (prefix PARLEY_); a misspelt key in a config file fails at once."""

import ipaddress
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from parley.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parent.parent


class _SharedEnvironment(EnvSettingsSource):
    """Reads the fields of `Settings` itself from PARLEY_…, whatever prefix a subclass has for its own.

    Only those: Kubernetes sets variables like PARLEY_PORT for a service named `parley`.
    """

    def __call__(self) -> dict[str, Any]:
        return {key: value for key, value in super().__call__().items() if key in Settings.model_fields}


class Settings(BaseSettings):
    """What every Parley process needs to know. Services extend it with their own.

    A subclass with `env_prefix="PARLEY_ASR_"` reads its own fields from PARLEY_ASR_…; the fields of this
    class are read from PARLEY_ASR_… too, and where that is not set, from PARLEY_….
    """

    model_config = SettingsConfigDict(env_prefix="PARLEY_", extra="forbid", frozen=True)

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", description="Where the chain's Redis is.")
    avatars_dir: Path = Field(
        default=REPOSITORY / "avatars", description="Folder with one folder per avatar."
    )
    models_dir: Path = Field(
        default=REPOSITORY / "models", description="Folder with trained weights, if any."
    )
    spool_dir: Path = Field(
        default=REPOSITORY / ".cache" / "spool",
        description="Folder for photos, speech and texts that are being made into avatars.",
    )
    host: str = Field(
        default="127.0.0.1", description="Address to bind; any other than loopback needs API keys."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    api_keys: str = Field(default="", description="Comma-separated; clients must send one as a bearer token.")
    private_network: bool = Field(
        default=False,
        description="Binding any address is allowed without keys: only trusted containers reach it.",
    )
    bind_wait_s: float = Field(
        default=0.0, description="Seconds to wait for ports that a predecessor still holds.", ge=0
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the subclass's own variables, those over the shared ones."""
        shared = _SharedEnvironment(settings_cls, env_prefix="PARLEY_")
        return init_settings, env_settings, shared, dotenv_settings, file_secret_settings

    def keys(self) -> frozenset[str]:
        """The API keys that are accepted; empty: none is asked for."""
        return frozenset(key.strip() for key in self.api_keys.split(",") if key.strip())


def is_loopback(host: str) -> bool:
    """Whether `host` can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_bind(host: str, api_keys: str, *, private_network: bool = False) -> None:
    """Refuses to open a port to others without keys.

    Args:
        host: Address to bind.
        api_keys: As in `Settings.api_keys`.
        private_network: The operator says that only trusted processes reach this address.

    Raises:
        ConfigError: `host` is no loopback address, no key is set and the network is not said to be private.
    """
    if is_loopback(host) or private_network or api_keys.strip(", "):
        return
    raise ConfigError(
        f"Binding {host} would let anyone who reaches it use this server.",
        fix="Set PARLEY_API_KEYS to one or more secret keys, or PARLEY_HOST to 127.0.0.1, "
        "or, inside a private container network, PARLEY_PRIVATE_NETWORK=true.",
    )
