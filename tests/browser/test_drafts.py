"""Drafts on the page of their session: copied, edited, and put back."""

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Arrive
from tests.site import Site


@pytest.fixture(scope="module")
async def completed(site: Site) -> str:
    """A session whose drafts this module may change."""
    session_id = await site.create("Old bookshops", language="en", start=True)
    await site.until_status(session_id, "COMPLETED")
    return f"/sessions/{session_id}"


def draft(page: Page, number: int) -> Locator:
    return page.get_by_role("article").nth(number - 1)


async def save(card: Locator, text: str) -> None:
    await card.get_by_text("Edit", exact=True).click()
    await card.get_by_role("textbox", name="Text").fill(text)
    await card.get_by_role("button", name="Save").click()


async def test_a_draft_is_copied_as_it_stands(arrive: Arrive, completed: str) -> None:
    async with arrive(completed, permissions=["clipboard-read", "clipboard-write"]) as page:
        await draft(page, 1).get_by_role("button", name="Copy the text").click()

        await expect(draft(page, 1).get_by_role("button", name="Copied")).to_be_visible()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied
        assert copied in await draft(page, 1).inner_text()


async def test_a_draft_is_edited_and_put_back_to_what_the_session_wrote(arrive: Arrive, completed: str) -> None:
    async with arrive(completed) as page:
        written = await page.locator("#draft-2-text").inner_text()
        await save(draft(page, 2), "My own words.\n\nAnd a second paragraph.")

        await expect(page.locator("#draft-2-text")).to_have_text("My own words.\n\nAnd a second paragraph.")
        await page.reload()
        await expect(page.locator("#draft-2-text")).to_have_text("My own words.\n\nAnd a second paragraph.")

        await draft(page, 2).get_by_text("Edit", exact=True).click()
        await draft(page, 2).get_by_role("button", name="Back to what the session wrote").click()
        await expect(page.locator("#draft-2-text")).to_have_text(written, use_inner_text=True)


async def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(arrive: Arrive, completed: str) -> None:
    async with arrive(completed) as page, arrive(completed) as other:
        await save(draft(page, 3), "Mine.")
        await expect(page.locator("#draft-3-text")).to_have_text("Mine.")

        await save(draft(other, 3), "No, mine.")

        await expect(other.get_by_text("Somebody else has changed it")).to_be_visible()
        await other.reload()
        await expect(other.locator("#draft-3-text")).to_have_text("Mine.")
