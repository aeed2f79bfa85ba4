"""The gateway's variables."""

from pathlib import Path

from pydantic import Field

from shared.chassis.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    """The variables of the gateway, prefix GATEWAY_."""

    model_config = service_config("GATEWAY_")

    upstreams: dict[str, list[str]] = Field(default_factory=dict)
    """The addresses of each service: {"grants": ["http://127.0.0.1:8103"]}."""

    issuer: Path | None = None
    """The folder of the issuer's keys; none where another issuer signs the tokens."""

    timeout_seconds: float = 10.0
    """How long a caller waits that names no shorter time."""

    rate: float = 300.0
    """Requests a second that one caller may make for long."""

    burst: int = 600
    """Requests that one caller may make at once."""

    cors_origins: list[str] = Field(default_factory=list)
    """The web origins that may call from a browser; none by default."""
