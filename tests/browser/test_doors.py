"""Who comes in, and who does not: keys, and pages of other places."""

from urllib.parse import urljoin

import pytest
from playwright.async_api import Browser, expect

from tests.browser.axe import violations
from tests.browser.conftest import Arrive
from tests.browser.stack import KEYS
from tests.browser.window import sign_in
from tests.site import SESSIONS, Site

FORGED = """<!doctype html><title>Win a prize</title><body><form method="post" action="{}">
<input name="input-theme" value="forged"><input name="workflow" value="viral-content">
<input name="csrf" value="guessed"><button>Here</button></form>"""

POSTED = """url => fetch(url, {method: "POST", mode: "no-cors", body: '{"theme": "forged"}'}).catch(() => {})"""


async def test_who_has_a_key_signs_in_comes_to_the_page_they_wanted_and_signs_out(
    arrive: Arrive, behind_keys: str
) -> None:
    async with arrive("/providers", home=behind_keys) as page:
        await expect(page).to_have_title("Sign in · Ekiden")
        assert await violations(page) == []

        await sign_in(page, KEYS["writer"])
        await expect(page).to_have_url(f"{behind_keys}/providers")

        await page.get_by_role("button", name="Sign out").click()
        await page.goto("/")
        await expect(page).to_have_title("Sign in · Ekiden")


async def test_a_wrong_key_is_refused_and_stands_nowhere(arrive: Arrive, behind_keys: str) -> None:
    async with arrive("/", home=behind_keys) as page:
        await sign_in(page, "no-such-secret-0123456789")

        await expect(page.get_by_text("No key has this secret")).to_be_visible()
        assert "no-such-secret" not in await page.content()
        assert "no-such-secret" not in page.url
        assert await violations(page) == []


async def test_a_key_that_may_only_read_is_offered_nothing_to_do(arrive: Arrive, behind_keys: str) -> None:
    async with arrive("/", home=behind_keys) as page:
        await sign_in(page, KEYS["reader"])

        await expect(page.get_by_role("heading", name="Sessions")).to_be_visible()
        await expect(page.get_by_role("link", name="Start a session")).to_have_count(0)


async def test_the_key_stays_out_of_the_browser(arrive: Arrive, behind_keys: str) -> None:
    async with arrive("/", home=behind_keys) as page:
        await sign_in(page, KEYS["writer"])
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()

        assert KEYS["writer"] not in str(await page.context.storage_state())
        assert "visit" not in await page.evaluate("document.cookie")


@pytest.mark.parametrize("elsewhere", ["http://prizes.example", "http://127.0.0.1:31999"], ids=["site", "port"])
async def test_a_page_of_another_place_starts_nothing(
    arrive: Arrive, chromium: Browser, site: Site, elsewhere: str
) -> None:
    async with arrive("/start") as page:
        ours = urljoin(page.url, await page.locator("main form[method=post]").first.get_attribute("action"))
    context = await chromium.new_context()
    page = await context.new_page()
    await page.goto(f"{site.api.base_url}/start")  # the victim has been here, and has our cookies
    await page.route(f"{elsewhere}/", lambda route: route.fulfill(content_type="text/html", body=FORGED.format(ours)))
    await page.goto(f"{elsewhere}/")

    await page.evaluate(POSTED, f"{site.api.base_url}{SESSIONS}/create")
    async with page.expect_response(ours) as refused:
        await page.get_by_role("button", name="Here").click()
    assert (await refused.value).status == 403

    listed = await site.api.get(f"{SESSIONS}/", params={"limit": 100})
    assert "forged" not in listed.text
    await context.close()
