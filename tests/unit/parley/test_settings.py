"""Settings and the rule about who may reach a port."""

import pytest
from pydantic import ValidationError
from pydantic_settings import SettingsConfigDict

from parley.errors import ConfigError
from parley.service import ServiceSettings
from parley.settings import Settings, check_bind, is_loopback


class EarSettings(ServiceSettings):
    """Like a service's own."""

    model_config = SettingsConfigDict(env_prefix="PARLEY_EAR_")

    port: int = 1
    metrics_port: int = 2
    engine: str = "fake"


def test_shared_and_own_fields_have_their_own_prefixes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://shared")
    monkeypatch.setenv("PARLEY_HOST", "::1")
    monkeypatch.setenv("PARLEY_EAR_HOST", "127.0.0.2")
    monkeypatch.setenv("PARLEY_EAR_ENGINE", "whisper")
    monkeypatch.setenv("PARLEY_PORT", "tcp://10.0.0.1:80")  # as Kubernetes sets for a service named parley
    settings = EarSettings()
    assert settings.redis_url == "redis://shared"
    assert settings.host == "127.0.0.2"  # the service's own wins
    assert settings.engine == "whisper" and settings.port == 1


def test_fields_can_be_given_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_EAR_PORT", "7")
    assert EarSettings(port=9, redis_url="redis://x").port == 9


def test_misspelt_and_wrong_settings_fail_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError):
        EarSettings(prot=9)  # type: ignore[call-arg]
    monkeypatch.setenv("PARLEY_LOG_LEVEL", "LOUD")
    with pytest.raises(ValidationError):
        Settings()


def test_keys() -> None:
    assert Settings(api_keys=" a, b,,").keys() == {"a", "b"}
    assert Settings(api_keys="").keys() == frozenset()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert is_loopback(host)
    check_bind(host, "")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "example.org", ""])
def test_other_addresses_need_keys_or_a_private_network(host: str) -> None:
    with pytest.raises(ConfigError, match="PARLEY_API_KEYS"):
        check_bind(host, " , ")
    check_bind(host, "secret")
    check_bind(host, "", private_network=True)
