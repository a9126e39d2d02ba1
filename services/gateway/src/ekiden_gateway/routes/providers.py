"""Providers: whether calls to them pass, and a person's hand on their breakers."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from ekiden.domain.plan import Provider
from ekiden_gateway.access import Owner, UsedParts, once_begun, operator
from ekiden_gateway.documented import documented
from ekiden_gateway.kinds import FORBIDDEN, UNKNOWN_PROVIDER
from ekiden_gateway.models.providers import OpenBreaker, ProviderAnswer, ProviderPage
from ekiden_gateway.problems import Problem
from ekiden_gateway.views import providers as views

router = APIRouter(prefix="/api/providers", tags=["providers"])
DEFAULT_REASON = "opened by a person"


async def named(
    name: Annotated[
        str,
        Path(
            alias="provider",
            max_length=100,
            description="gpt, perplexity, or one that `EKIDEN_PROVIDERS` adds",
            examples=["gpt"],
        ),
    ],
) -> Provider:
    try:
        return Provider(name)
    except ValueError:
        raise Problem(UNKNOWN_PROVIDER, f"There is no provider {name}; there are {', '.join(Provider)}.") from None


Named = Annotated[Provider, Depends(named)]
_PROBLEMS = documented(UNKNOWN_PROVIDER, FORBIDDEN)
_OPERATORS = [Depends(operator), Depends(once_begun)]


@router.get("", operation_id="listProviders", response_model=ProviderPage, responses=documented())
async def all_providers(parts: UsedParts, owner: Owner) -> ProviderPage:
    """List the providers with breaker, cool-down and rate."""
    now = parts.database.clock.now()
    found = await parts.providers.all()
    return ProviderPage(items=[views.provider(name, state, now) for name, state in found.items()])


@router.post(
    "/{provider}/open",
    operation_id="openBreaker",
    response_model=ProviderAnswer,
    responses=_PROBLEMS,
    dependencies=_OPERATORS,
)
async def open_breaker(provider: Named, parts: UsedParts, asked: OpenBreaker | None = None) -> ProviderAnswer:
    """Hold back all calls to a provider, until a person closes its breaker. Calls under way run to their end."""
    reason = (asked.reason.strip() if asked else "") or DEFAULT_REASON
    state = await parts.breakers.open(provider, reason)
    return views.provider(provider, state, parts.database.clock.now())


@router.post(
    "/{provider}/close",
    operation_id="closeBreaker",
    response_model=ProviderAnswer,
    responses=_PROBLEMS,
    dependencies=_OPERATORS,
)
async def close_breaker(provider: Named, parts: UsedParts) -> ProviderAnswer:
    """Let calls pass again, whoever opened the breaker. Repeating it changes nothing."""
    state = await parts.breakers.close(provider)
    return views.provider(provider, state, parts.database.clock.now())
