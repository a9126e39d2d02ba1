"""What the gateway reads from its environment."""

from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from ekiden.settings import WebhookSettings, without_limit
from ekiden_gateway.keys import Keyring

PACKAGED_WORKFLOWS = Path(__file__).resolve().parents[4] / "workflows"
"""The repository's own; an image that has them elsewhere names the place with EKIDEN_WORKFLOWS_DIR."""


class GatewaySettings(WebhookSettings):
    service: ClassVar[str] = "gateway"

    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(default=8000, ge=0, le=65535, description="0 chooses a free one")
    gateway_names: str = Field(default="", description="names an open gateway is asked by, comma-separated")
    session_budget_usd: float | None = Field(
        default=None, gt=0, le=1000, description="budget of a session that asks for none; else its workflow's"
    )
    workflows_dir: Path | None = Field(default=None, description="a folder of workflow folders, beside the packaged")
    api_keys: SecretStr | None = Field(default=None, description="id:secret[:scope,…], comma-separated")
    client_rate_per_minute: int | None = Field(
        default=None, ge=1, le=100_000, description="requests of one client that change something, at all gateways"
    )
    client_sessions: int | None = Field(
        default=None, ge=1, le=100_000, description="sessions of one client that are under way or wait"
    )
    admission_tasks: int | None = Field(
        default=None, ge=1, description="no session begins while so many tasks of a provider are queued"
    )
    auth: Literal["on", "off"] = Field(default="on", validate_default=True)

    @property
    def keyring(self) -> Keyring:
        """Who may come in. Without keys everybody who can reach the address."""
        return Keyring.read(self.api_keys.get_secret_value() if self.api_keys and self.auth == "on" else "")

    @property
    def names(self) -> frozenset[str]:
        """By which names an open gateway may be asked, beside loopback's and addresses in numbers."""
        given = {name.strip().lower() for name in self.gateway_names.split(",")}
        return frozenset({*given, self.gateway_host.lower()} - {""})

    @property
    def secrets(self) -> frozenset[str]:
        """Each key's secret alone, too."""
        entries = self.api_keys.get_secret_value().split(",") if self.api_keys else []
        return super().secrets | {entry.split(":")[1] for entry in entries if ":" in entry}

    _unlimited = field_validator("client_rate_per_minute", "client_sessions", "admission_tasks", mode="before")(
        without_limit
    )

    @field_validator("workflows_dir")
    @classmethod
    def _is_a_folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"{value} is no folder")
        return value

    @field_validator("api_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value().strip():
            return None
        Keyring.read(value.get_secret_value())
        return value

    @field_validator("auth")
    @classmethod
    def _closed_to_the_world(cls, value: str, info: ValidationInfo) -> str:
        """An open gateway spends the owner's money for whoever finds it."""
        host = str(info.data.get("gateway_host", ""))
        if value == "on" and info.data.get("api_keys") is None and not _is_loopback(host):
            raise ValueError(f"set EKIDEN_API_KEYS, or EKIDEN_AUTH=off, to listen on {host} which is not loopback")
        return value


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
