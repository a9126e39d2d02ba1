"""A browser without scripts: everything is there to be read and done; only what is new comes when it is asked for."""

from playwright.async_api import Page, expect

from tests.browser.conftest import Arrive
from tests.browser.gallery import Gallery
from tests.site import until


async def until_seen(page: Page, heading: str) -> None:
    """Load the page again and again, as somebody would who has no script."""

    async def seen() -> bool:
        await page.reload()
        return await page.get_by_role("heading", name=heading).is_visible()

    await until(seen, heading)


async def test_a_session_is_started_let_through_its_gate_and_read(arrive: Arrive) -> None:
    async with arrive("/start", java_script_enabled=False) as page:
        await page.get_by_label("Theme", exact=True).fill("Slow letters")
        await page.get_by_label("before the searches of leg 1").check()
        await page.get_by_role("button", name="Hand over the sash").click()
        await expect(page.get_by_role("heading", name="Slow letters")).to_be_visible()
        await until_seen(page, "Approve, and 3 searches are bought")

        await page.get_by_role("button", name="Approve and go on").click()

        await until_seen(page, "The sash is home: 3 drafts are ready")
        await expect(page.get_by_role("article")).to_have_count(3)


async def test_the_list_is_filtered_by_its_links_and_its_form(arrive: Arrive, gallery: Gallery) -> None:
    async with arrive("/", java_script_enabled=False) as page:
        await page.get_by_role("link", name="Failed").click()
        await expect(page.locator(f"a[href$='{gallery['failed']}']")).to_be_visible()
        await expect(page.locator(f"a[href$='{gallery['completed']}']")).to_have_count(0)

        await page.goto("/")
        await page.get_by_text("Filter", exact=True).click()
        await page.get_by_label("Metadata").fill("shelf:7")
        await page.get_by_role("button", name="Apply").click()
        await expect(page.get_by_text("No session is like that.")).to_be_visible()
