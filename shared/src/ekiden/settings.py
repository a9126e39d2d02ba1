"""Settings: read once from the environment, frozen, passed down. What is wrong is named all at once, at start.

Each service extends `ServiceSettings`. `KNOWN` are the names of all services, so that a misspelt variable stops
the process although each service reads only its own.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import ClassVar, Literal, TypeVar, cast
from urllib.parse import unquote

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ekiden.domain.provider import BUILT_IN, PROVIDER_NAME, Kind, Provider
from ekiden.masking import passwords_in
from ekiden.retry import USUAL_POLICY, UnknownOutcome
from ekiden.webhooks.guard import Allowed
from ekiden.workflow.package import Policies

_NAMES = """
    AMQP_URL AMQP_PORT MONGODB_URL MONGODB_PORT MONGODB_DATABASE STATE_DIR
    GATEWAY_HOST GATEWAY_PORT GATEWAY_NAMES GATEWAY_URL METRICS_HOST METRICS_PORT
    GPT_DEADLINE_SECONDS GPT_MODEL PERPLEXITY_MODEL PERPLEXITY_PRESET MIX_SIMULATOR
    GPT_UNKNOWN_OUTCOME PERPLEXITY_UNKNOWN_OUTCOME SEARCH_CACHE_SECONDS PERPLEXITY_POLL_SECONDS
    GPT_CONCURRENCY PERPLEXITY_CONCURRENCY GPT_RATE_PER_MINUTE PERPLEXITY_RATE_PER_MINUTE
    CLIENT_RATE_PER_MINUTE CLIENT_SESSIONS ADMISSION_TASKS
    SESSION_BUDGET_USD API_KEY API_KEYS AUTH SCHEDULER WORKFLOWS_DIR LOG_LEVEL LOG_FORMAT
    WEBHOOK_ALLOW PROVIDERS FALLBACK_SECONDS
    GPT_PRICES GPT_STRUCTURED_OUTPUT GPT_LIMIT_FIELD
    CRASH_FILE RETENTION_DAYS GRACE_SECONDS METRICS_TARGETS PROMETHEUS_PORT PROMETHEUS_URL GRAFANA_PORT RABBITMQ_UI_PORT
"""
KNOWN = frozenset(f"EKIDEN_{name}" for name in _NAMES.split())
_OTHERS = ("EKIDEN_SIMULATOR_",)
"""The simulator reads and checks its own."""


def without_limit(value: object) -> object:
    """Read a limit that may be written as the word."""
    return None if value in {"", "unlimited"} else value


class ServiceSettings(BaseSettings):
    """What every service reads."""

    model_config = SettingsConfigDict(env_prefix="EKIDEN_", frozen=True, extra="ignore", populate_by_name=True)
    service: ClassVar[str] = ""

    amqp_url: str = Field(description="RabbitMQ, as amqp://user:password@host:port/vhost")
    mongodb_url: str = Field(description="MongoDB, a replica set")
    mongodb_database: str = "ekiden"
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=0, ge=0, le=65535, description="0 chooses a free one")
    gpt_unknown_outcome: UnknownOutcome = UnknownOutcome.RESEND
    perplexity_unknown_outcome: UnknownOutcome = UnknownOutcome.ASK
    search_cache_seconds: float = Field(default=3600.0, ge=0, description="0 is off")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] | None = Field(default=None, description="console on a terminal, else json")
    grace_seconds: float = Field(default=25.0, ge=0, description="time to finish calls after SIGTERM")
    providers: str = Field(default="", description="those beside gpt and perplexity: name:kind[:policy], …")

    @property
    def policies(self) -> Policies:
        own = {Provider.GPT: self.gpt_unknown_outcome, Provider.PERPLEXITY: self.perplexity_unknown_outcome}
        return own | {Provider(entry.name): entry.policy for entry in read_entries(self.providers)}

    @field_validator("providers")
    @classmethod
    def _can_be_added(cls, value: str) -> str:
        read_entries(value)
        return value

    @property
    def secrets(self) -> frozenset[str]:
        """What nobody may ever see: the values of secret fields, passwords in addresses, a trace collector's keys."""
        values = [getattr(self, name) for name in type(self).model_fields]
        hidden = {value.get_secret_value().strip() for value in values if isinstance(value, SecretStr)}
        passwords = {found for value in values if isinstance(value, str) for found in passwords_in(value)}
        headers = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "").split(",")
        return frozenset(hidden | passwords | {unquote(header.partition("=")[2]).strip() for header in headers})


class WorkerSettings(ServiceSettings):
    """What both workers read; a worker's own variables carry its provider's name."""

    concurrency: int = Field(ge=1, description="tasks in flight in this process")
    rate_per_minute: float | None = Field(default=None, gt=0, description="calls a minute of all workers together")

    _unlimited = field_validator("rate_per_minute", mode="before")(without_limit)


class WebhookSettings(ServiceSettings):
    """What those read who take an address for webhooks, and who send there."""

    webhook_allow: str = Field(default="", description="hosts, addresses, networks that need not be public; http too")

    @property
    def webhooks_allowed(self) -> Allowed:
        return Allowed.read(self.webhook_allow)

    @field_validator("webhook_allow")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        Allowed.read(value)
        return value


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """A provider that somebody adds: what it is asked for, and what is done about its unknown outcomes."""

    name: str
    kind: Kind
    policy: UnknownOutcome


def read_entries(text: str) -> tuple[ProviderEntry, ...]:
    """Read EKIDEN_PROVIDERS: `name:kind` or `name:kind:policy`, comma-separated. Raises ValueError."""
    return tuple(_entry(part) for part in text.replace(",", " ").split())


def _entry(text: str) -> ProviderEntry:
    name, _, rest = text.partition(":")
    kind, _, policy = rest.partition(":")
    if kind not in set(Kind) or policy not in {"", *UnknownOutcome}:
        raise ValueError(f"{text!r}: write name:text or name:search, and behind it :resend or :ask where it matters")
    if not PROVIDER_NAME.fullmatch(name) or name in BUILT_IN:
        raise ValueError(f"{name!r} is no name for another provider: small letters, digits and -, 32 at most")
    return ProviderEntry(name, Kind(kind), UnknownOutcome(policy) if policy else USUAL_POLICY[Kind(kind)])


def add_providers(text: str) -> None:
    """Make the providers of EKIDEN_PROVIDERS known, as a process starts. Raises ValueError."""
    for entry in read_entries(text):
        Provider.add(entry.name, entry.kind)


S = TypeVar("S", bound=ServiceSettings)


def named(*names: str) -> AliasChoices:
    """Other names a field is read from, such as `OPENAI_API_KEY`."""
    return AliasChoices(*names)


def read_settings(kind: type[S], environment: Mapping[str, str] | None = None) -> S:
    """Read a service's settings or end the process with status 2, every mistake named at once."""
    mistakes = unknown_names(environment if environment is not None else os.environ)
    try:
        settings = cast("Callable[[], S]", kind)()
    except ValidationError as error:
        mistakes += [f"{_variable(kind, str(e['loc'][0]))}: {e['msg']}" for e in error.errors()]
    else:
        if not mistakes:
            add_providers(settings.providers)
            return settings
    sys.stderr.write(f"{kind.service}: the settings are wrong\n" + "".join(f"  {line}\n" for line in mistakes))
    raise SystemExit(2)


def unknown_names(environment: Mapping[str, str]) -> list[str]:
    """The `EKIDEN_*` variables no service knows, each with the name that was probably meant.

    Those of an added provider carry its name; its worker reads and checks them.
    """
    wrong: list[str] = []
    others = (*_OTHERS, *_prefixes(environment.get("EKIDEN_PROVIDERS", "")))
    for name in sorted(environment):
        if name.startswith("EKIDEN_") and name not in KNOWN and not name.startswith(others):
            meant = get_close_matches(name, KNOWN, 1)
            wrong.append(f"{name}: no service knows this variable{f'; did you mean {meant[0]}?' if meant else ''}")
    return wrong


def _prefixes(providers: str) -> Iterator[str]:
    for part in providers.replace(",", " ").split():
        yield f"EKIDEN_{part.partition(':')[0].upper().replace('-', '_')}_"


def _variable(kind: type[ServiceSettings], place: str) -> str:
    """The environment's name of what a validation error points at."""
    if place.isupper():
        return place
    alias = kind.model_fields[place].validation_alias if place in kind.model_fields else None
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return f"EKIDEN_{place.upper()}"
