"""What can be seen by asking the gateway: whether it is there, lets us in, is of our version, and tells our time."""

from datetime import UTC, datetime
from importlib.metadata import version
from urllib.parse import urlsplit

from ekiden_cli.addresses import Addresses
from ekiden_cli.doctor.finding import Finding, failed, ok, warning
from ekiden_cli.errors import help_for
from ekiden_cli.providers import why_open
from ekiden_client import EkidenClient, EkidenError, Patience, Unauthenticated
from ekiden_client.service import Readiness

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CLOCK_SECONDS = 5.0
"""A date in a header is whole seconds, and webhooks are refused by receivers whose clocks differ by minutes."""
_AT_ONCE = Patience(seconds=0.0, absent_seconds=0.0)


def check_address(addresses: Addresses) -> Finding:
    """Say which address is used and where it is from: the first question when something answers strangely."""
    url = addresses.gateway_url
    told = f"{url}, from {addresses.gateway_from}"
    place = urlsplit(url)
    if place.scheme == "http" and addresses.api_key and place.hostname not in _LOOPBACK:
        return warning("Address", f"{told}: the key travels unencrypted", "Use an https:// address.")
    return ok("Address", told)


async def examine_gateway(addresses: Addresses) -> list[Finding]:
    """Ask the gateway everything, as far as the answers before allow it."""
    try:
        client = EkidenClient(addresses.gateway_url, key=addresses.api_key or "", patience=_AT_ONCE)
    except EkidenError as error:
        return [failed("Gateway", str(error), help_for(error))]
    async with client:
        try:
            readiness = await client.service.readiness()
        except EkidenError as error:
            return [failed("Gateway", str(error), help_for(error))]
        found = [check_readiness(readiness, client.url), await check_key(client, addresses)]
        if found[-1].is_failure:
            return found
        found += [await check_version(client), check_clock(readiness), await check_providers(client)]
        return [*found, await check_schedules(client)]


def check_readiness(readiness: Readiness, url: str) -> Finding:
    if readiness.is_ready:
        return ok("Gateway", f"{url} is ready")
    return failed(
        "Gateway", f"{url} is not ready: {'; '.join(readiness.wrong)}", "Mend what it names; `make logs` says more."
    )


async def check_key(client: EkidenClient, addresses: Addresses) -> Finding:
    """Look whether we are let in, who we are then, and what we may do."""
    try:
        own = await client.keys.own()
    except Unauthenticated as error:
        told = "the gateway does not know EKIDEN_API_KEY" if addresses.api_key else "EKIDEN_API_KEY is not set"
        return failed("Key", told, help_for(error))
    except EkidenError as error:
        return failed("Key", str(error), help_for(error))
    if own.open:
        set_here = "EKIDEN_API_KEY is set" if addresses.api_key else "none is set"
        return ok("Key", f"{set_here}, and the gateway lets everybody in: what is made belongs to {own.client}")
    told = f"the gateway knows EKIDEN_API_KEY: client {own.client}, may {', '.join(own.scopes)}"
    if "write" not in own.scopes:
        return warning("Key", told, "It can look at sessions and not begin any; ask for one with the scope write.")
    return ok("Key", told)


async def check_version(client: EkidenClient) -> Finding:
    ours = version("ekiden-cli")
    try:
        theirs = await client.service.version()
    except EkidenError as error:
        return warning("Version", str(error), help_for(error))
    if theirs == ours:
        return ok("Version", f"{ours}, like the gateway")
    return warning("Version", f"this is ekiden {ours}, the gateway is {theirs}", "Bring the older one up to date.")


def check_clock(readiness: Readiness) -> Finding:
    if readiness.time is None:
        return ok("Time", "the gateway does not tell its time")
    apart = abs((readiness.time - datetime.now(UTC)).total_seconds())
    if apart > _CLOCK_SECONDS:
        return warning(
            "Time",
            f"the gateway's clock differs from this one by {apart:.0f} s",
            "Let both machines keep time with NTP: dates in lists and in webhooks are theirs.",
        )
    return ok("Time", "the gateway's clock agrees with this one")


async def check_providers(client: EkidenClient) -> Finding:
    """An open breaker is no failure: tasks wait for it and nothing is lost."""
    try:
        found = (await client.providers.page()).items
    except EkidenError as error:
        return warning("Providers", str(error), help_for(error))
    held = [f"{state.provider}: breaker {why_open(state)}" for state in found if state.breaker.is_open]
    if held:
        return warning("Providers", "; ".join(held), "`ekiden providers close` lets calls pass again at once.")
    return ok("Providers", f"calls to {' and '.join(state.provider for state in found)} pass")


async def check_schedules(client: EkidenClient) -> Finding:
    """Say when nothing begins by the clock, before somebody waits for the morning's session."""
    try:
        page = await client.schedules.page(limit=1)
    except EkidenError as error:
        return warning("Schedules", str(error), help_for(error))
    if not page.items:
        return ok("Schedules", "there are none")
    if page.scheduler.on:
        return ok("Schedules", "a scheduler is at work")
    return warning(
        "Schedules", f"there are some: {page.scheduler.message}", "Run an orchestrator with EKIDEN_SCHEDULER=on."
    )
