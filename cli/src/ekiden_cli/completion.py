"""What the shell offers after TAB, where that is known only to the gateway: ids, names, choices.

A shell waits for it with every key, so it is quick or it is nothing: a second at most, no second try, and whatever
goes wrong is silence.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from ekiden.domain.title import title_of
from ekiden_cli.addresses import find_addresses
from ekiden_cli.wrap import clean
from ekiden_client import DeliveryStatus, EkidenClient, EkidenError, Patience, Status

LONGEST_SECONDS = 1.0
_RECENT = 20
_AT_ONCE = Patience(seconds=0.0, absent_seconds=0.0)
Offer = Callable[[str], Iterable[str | tuple[str, str]]]
"""Takes what was typed so far; gives words, each perhaps with a line of help."""


def _offered(ask: Callable[[EkidenClient], Awaitable[Iterable[str | tuple[str, str]]]]) -> Offer:
    """Make an offer of what the gateway answers, as far as it begins with what was typed."""

    def offer(incomplete: str) -> Iterable[str | tuple[str, str]]:
        words = _ask(ask)
        return [word for word in words if (word if isinstance(word, str) else word[0]).startswith(incomplete)]

    return offer


def _ask(
    ask: Callable[[EkidenClient], Awaitable[Iterable[str | tuple[str, str]]]],
) -> Iterable[str | tuple[str, str]]:
    async def briefly() -> Iterable[str | tuple[str, str]]:
        addresses = find_addresses(os.environ, Path.cwd())
        async with asyncio.timeout(LONGEST_SECONDS):
            async with EkidenClient(addresses.gateway_url, key=addresses.api_key or "", patience=_AT_ONCE) as client:
                return await ask(client)

    try:
        return asyncio.run(briefly())
    except (EkidenError, OSError, TimeoutError, ValueError):
        return ()


async def _sessions(client: EkidenClient) -> list[tuple[str, str]]:
    page = await client.sessions.page(limit=_RECENT)
    return [(session.id, f"{session.status} {clean(title_of(session.input))}"[:60]) for session in page.items]


async def _letters(client: EkidenClient) -> list[tuple[str, str]]:
    page = await client.dead_letters.page(limit=_RECENT)
    return [(letter.id, f"{letter.queue} {letter.reason}") for letter in page.items]


async def _keys(client: EkidenClient) -> list[tuple[str, str]]:
    return [(key.id, f"{key.client} {','.join(key.scopes)}") for key in (await client.keys.page(limit=_RECENT)).items]


async def _webhooks(client: EkidenClient) -> list[tuple[str, str]]:
    return [(found.id, found.url) for found in (await client.webhooks.page(limit=_RECENT)).items]


async def _schedules(client: EkidenClient) -> list[tuple[str, str]]:
    return [(found.id, f"{found.cron} {found.name}") for found in (await client.schedules.page(limit=_RECENT)).items]


async def _providers(client: EkidenClient) -> list[str]:
    return [state.provider for state in (await client.providers.page()).items]


async def _workflows(client: EkidenClient) -> list[tuple[str, str]]:
    return [(found.name, next(iter(found.title.values()), "")) for found in await client.workflows.list()]


async def _positions(client: EkidenClient) -> list[str]:
    found = [step for each in await client.workflows.list() for phase in each.phases for step in phase.steps]
    return list(dict.fromkeys(found))


async def _languages(client: EkidenClient) -> list[str]:
    return list(dict.fromkeys(language for each in await client.workflows.list() for language in each.languages))


def _choices(name: str) -> Offer:
    """What the workflows allow for one of their inputs."""

    async def ask(client: EkidenClient) -> list[str]:
        inputs = [each.inputs[name] for each in await client.workflows.list() if name in each.inputs]
        return list(dict.fromkeys(choice for wanted in inputs for choice in map(str, wanted.enum or ())))

    return _offered(ask)


session_ids = _offered(_sessions)
letter_ids = _offered(_letters)
key_ids = _offered(_keys)
webhook_ids = _offered(_webhooks)
schedule_ids = _offered(_schedules)
provider_names = _offered(_providers)
workflow_names = _offered(_workflows)
steps = _offered(_positions)
languages = _offered(_languages)
styles = _choices("style")
platforms = _choices("platform")


def statuses(incomplete: str) -> list[str]:
    return [status.value for status in Status if status.value.startswith(incomplete.upper())]


def delivery_statuses(incomplete: str) -> list[str]:
    return [status.value for status in DeliveryStatus if status.value.startswith(incomplete.upper())]


def workflow_folders(incomplete: str) -> list[str]:
    """The workflows below workflows/, as far as the folder that the shell stands in has any."""
    found = sorted(Path("workflows").glob("*/workflow.yaml"))
    return [path.parent.name for path in found if path.parent.name.startswith(incomplete)]
