"""The gateway goes and comes back while somebody looks: the page catches up, and nobody has to load it again."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Arrive
from tests.browser.proxy import Proxy
from tests.browser.watching import Unmoved, until_home
from tests.site import SESSIONS, Site, until

OFFLINE = "No connection: what you see may be old."


@pytest.fixture
async def proxy(site: Site) -> AsyncIterator[Proxy]:
    async with Proxy(str(site.api.base_url)).listening() as proxy:
        yield proxy


async def at_its_gate(site: Site, theme: str) -> str:
    session_id = await site.create(theme, language="en", start=True, pauseBefore=["1.EXECUTE"])
    await site.until_status(session_id, "WAITING")
    return session_id


async def test_a_session_goes_home_while_the_gateway_is_away_and_its_page_catches_up(
    arrive: Arrive, site: Site, proxy: Proxy
) -> None:
    session_id = await at_its_gate(site, "Lighthouses")
    async with arrive(f"/sessions/{session_id}", home=proxy.url, outages=True) as page:
        async with page.expect_response("**/events?*"):
            await page.reload()
        async with Unmoved(page):
            proxy.go_away(502)
            await expect(page.get_by_text(OFFLINE)).to_be_visible()
            await site.call(f"{SESSIONS}/{session_id}/continue-async", {})
            await site.until_status(session_id, "COMPLETED")
            await expect(page.get_by_role("heading", name="Approve, and 3 searches are bought")).to_be_visible()

            proxy.come_back()

            await until_home(page)
            await expect(page.get_by_text(OFFLINE)).to_have_count(0)


async def test_where_streams_do_not_come_through_the_pages_ask_again_and_again(
    arrive: Arrive, site: Site, proxy: Proxy
) -> None:
    proxy.refuses = lambda line: 503 if "/counts" in line or "/events" in line else None
    session_id = await at_its_gate(site, "Night ferries")
    async with (
        arrive("/", home=proxy.url, outages=True) as listed,
        arrive(f"/sessions/{session_id}", home=proxy.url, outages=True) as page,
        Unmoved(listed, page),
    ):
        row = listed.get_by_role("listitem").filter(has_text="Night ferries")
        await expect(row.get_by_text("Waiting")).to_be_visible()

        await site.call(f"{SESSIONS}/{session_id}/continue-async", {})

        await expect(row.get_by_text("Completed")).to_be_visible()
        await until_home(page)
        await expect(page.get_by_text(OFFLINE)).to_have_count(0)


async def test_a_list_that_cannot_be_fetched_stays_as_it_was(arrive: Arrive, site: Site, proxy: Proxy) -> None:
    await site.create("Wooden bridges", language="en")
    async with arrive("/", home=proxy.url, outages=True) as page, Unmoved(page):
        row = page.get_by_role("listitem").filter(has_text="Wooden bridges")
        await expect(row).to_be_visible()
        proxy.go_away(502)
        before = proxy.refused

        async def asked() -> bool:
            return proxy.refused >= before + 3

        await until(asked, "the list was asked for in vain")
        await expect(row).to_be_visible()
