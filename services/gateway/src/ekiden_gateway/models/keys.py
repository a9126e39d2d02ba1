"""API keys, asked for and answered. A secret is in one answer only: the one to the request that made it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from ekiden_gateway.keys import Scope
from ekiden_gateway.models.requests import whole
from ekiden_gateway.models.wire import EXAMPLE_TIME, Answered, Asked

EXAMPLE_KEY = "key_0199c0ffee0077778888999900001111"
EXAMPLE_SECRET = "ek_" + "EXAMPLE" * 6 + "0"
Client = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
    Field(description="Who it is for, and whose its sessions are", examples=["marketing"]),
]
_Limit = Annotated[int, Field(ge=1, le=100_000), BeforeValidator(whole)] | None
_ELSE = "null: what the gateway's setting says"
RatePerMinute = Annotated[_Limit, Field(description=f"Changing requests a minute, at all gateways. {_ELSE}")]
ConcurrentSessions = Annotated[_Limit, Field(description=f"Sessions under way or waiting at a time. {_ELSE}")]


class MakeKey(Asked):
    """A limit that is left out is taken over from the client's present key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"client": "marketing", "scopes": ["read", "write"]},
                {"client": "ops", "scopes": ["read", "write", "admin"], "ratePerMinute": 60, "concurrentSessions": 20},
            ]
        }
    )

    client: Client
    scopes: Annotated[
        list[Literal["read", "write", "admin"]],
        Field(
            min_length=1, max_length=3, description="`read` to look, `write` to change, `admin` for all clients' things"
        ),
    ]
    rate_per_minute: RatePerMinute = None
    concurrent_sessions: ConcurrentSessions = None


class LimitKey(Asked):
    """A limit that is left out stays as it is. The newest active key's limits hold for all of its client."""

    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 1,
            "examples": [{"ratePerMinute": 30}, {"ratePerMinute": 60, "concurrentSessions": 5}],
        }
    )

    rate_per_minute: RatePerMinute = None
    concurrent_sessions: ConcurrentSessions = None

    @model_validator(mode="after")
    def _something(self) -> "LimitKey":
        if not self.model_fields_set:
            raise ValueError("name at least one of ratePerMinute and concurrentSessions")
        return self


class KeyAnswer(Answered):
    """A key, without its secret, which is nowhere."""

    id: str = Field(examples=[EXAMPLE_KEY])
    client: str = Field(examples=["marketing"])
    scopes: list[Scope]
    rate_per_minute: int | None = Field(examples=[60], description=_ELSE)
    concurrent_sessions: int | None = Field(examples=[20], description=_ELSE)
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    created_by: str = Field(examples=["ops"], description="The client that made it")
    last_used_at: datetime | None = Field(description="To the minute; null when it was never used")
    revoked_at: datetime | None = Field(description="null as long as it is active")


class MadeKey(KeyAnswer):
    """A new key, with its secret: it is shown this once, and kept nowhere."""

    secret: str = Field(examples=[EXAMPLE_SECRET], pattern=r"^ek_[A-Za-z0-9]{43}$")


class OwnKey(Answered):
    """Who somebody is to the gateway, by the key he came with."""

    client: str = Field(examples=["marketing"], description="Whose things he sees, and who owns what he makes")
    key_id: str | None = Field(examples=[EXAMPLE_KEY], description="null: of the environment, or none is asked for")
    scopes: list[Scope] = Field(description="What the key may do")
    rate_per_minute: int | None = Field(examples=[60], description="Changing requests a minute; null: no limit")
    concurrent_sessions: int | None = Field(examples=[20], description="Sessions at a time; null: no limit")
    open: bool = Field(description="Whether everybody may come in who can reach the gateway, without a key")


class KeyPage(Answered):
    items: list[KeyAnswer]
    next_cursor: str | None = None
