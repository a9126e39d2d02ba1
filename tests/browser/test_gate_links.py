"""A link to a gate, opened by somebody who has no key: seen, answered once, and spent."""

from urllib.parse import urlsplit

from playwright.async_api import expect

from tests.browser.axe import violations
from tests.browser.conftest import Arrive
from tests.site import SESSIONS, Site

QUESTION = "Which harbours still hold a morning market?"


async def test_a_gate_is_seen_and_answered_over_a_link_which_is_spent_by_it(arrive: Arrive, site: Site) -> None:
    session_id = await site.create("Harbour towns", language="en", start=True, pauseBefore=["1.EXECUTE"])
    await site.until_status(session_id, "WAITING")
    made = await site.call(f"{SESSIONS}/{session_id}/gate-link", {})
    path = urlsplit(made["url"]).path
    async with arrive(path) as page, arrive(path) as late:
        await expect(page.get_by_role("heading", name="Harbour towns")).to_be_visible()
        assert await violations(page) == []
        assert (await site.call(f"{SESSIONS}/{session_id}/gate-link", {}))["gate"] == made[
            "gate"
        ]  # to look is no answer

        await page.get_by_label("Question 1").fill(QUESTION)
        await page.get_by_label("Your name").fill("Aoi")
        await page.get_by_role("button", name="Approve and go on").click()
        await expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
        assert await violations(page) == []

        await late.get_by_role("button", name="Approve and go on").click()
        await expect(late.get_by_text("This gate was passed by Aoi, over a link")).to_be_visible()
        assert await violations(late) == []
    await site.until_status(session_id, "COMPLETED")
    assert QUESTION in str([task["request"] for task in await site.tasks(session_id) if task["stepName"] == "EXECUTE"])


async def test_a_link_is_made_on_the_sessions_page(arrive: Arrive, site: Site) -> None:
    session_id = await site.create("Paper lanterns", language="en", start=True, pauseBefore=["1.THINK"])
    await site.until_status(session_id, "WAITING")
    async with arrive(f"/sessions/{session_id}") as page:
        await page.get_by_text("Ask somebody without a key").click()
        await page.get_by_role("button", name="Make a link").click()
        link = await page.locator("#gate-link").inner_text()
        assert await violations(page) == []

        await page.goto(urlsplit(link).path)
        await expect(page.get_by_role("heading", name="Paper lanterns")).to_be_visible()
