"""Settings of the simulator: `EKIDEN_SIMULATOR_*`, read once at start."""

import json
import os
from typing import Annotated

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ekiden_simulator.faults import Fault

PREFIX = "EKIDEN_SIMULATOR_"


class SettingsError(ValueError):
    """The environment has mistakes; the message names every one of them."""


class Settings(BaseSettings):
    """Everything that can be set. An empty variable counts as not set."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8090
    """0 lets the system choose."""
    time_scale: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 0.01
    """Real seconds per provider second: 0.01 makes 70 s of search 0.7 s, 0 answers at once, 1 is as slow as life."""
    seed: int = 1
    faults: Annotated[tuple[Fault, ...], NoDecode] = ()
    """Faults scripted from the start: a JSON list as for `POST /faults`."""
    openai_rate_per_minute: Annotated[int, Field(ge=1)] | None = None
    perplexity_rate_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Accepted calls per minute of real time; unlimited when not set."""

    @field_validator("faults", mode="before")
    @classmethod
    def _read_json(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value


def read_settings() -> Settings:
    """Read the settings from the environment; raise `SettingsError` naming every mistake at once."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {f"{PREFIX}URL"}  # where others find us
    mistakes = [
        f"{name}: unknown variable"
        for name in sorted(os.environ)
        if name.upper().startswith(PREFIX) and name.upper() not in known
    ]
    settings: Settings | None = None
    try:
        settings = Settings()
    except ValidationError as error:
        mistakes += [_name_of(detail["loc"]) + ": " + detail["msg"] for detail in error.errors(include_url=False)]
    if settings is None or mistakes:
        raise SettingsError("\n".join(mistakes))
    return settings


def _name_of(path: tuple[int | str, ...]) -> str:
    first, *rest = path
    return PREFIX + str(first).removeprefix(PREFIX.lower()).upper() + "".join(f"[{part}]" for part in rest)
