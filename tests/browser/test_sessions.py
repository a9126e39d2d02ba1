"""A session on its page: from the start to the drafts, and through all that it may wait for."""

from playwright.async_api import expect

from tests.browser.conftest import Arrive
from tests.browser.gallery import REFUSED, REPLY_LOST
from tests.browser.watching import Unmoved, until_home
from tests.site import Site

OWN_QUESTION = "What do people in small towns say about empty houses?"


async def test_a_session_started_on_the_page_arrives_before_ones_eyes(arrive: Arrive) -> None:
    async with arrive("/") as page:
        await page.get_by_role("link", name="Start a session").first.click()
        await page.get_by_label("Theme", exact=True).fill("Quiet mornings")
        await page.get_by_role("button", name="Hand over the sash").click()
        await expect(page.get_by_role("heading", name="Quiet mornings")).to_be_visible()

        async with Unmoved(page):
            await until_home(page)


async def test_a_mistake_in_the_form_is_said_beside_its_field_and_nothing_is_lost(arrive: Arrive) -> None:
    async with arrive("/start") as page:
        await page.get_by_label("Theme", exact=True).fill("Ferries")
        await page.get_by_label("Budget in USD").fill("0")
        await page.get_by_role("button", name="Hand over the sash").click()

        await expect(page.get_by_label("Budget in USD")).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("Theme", exact=True)).to_have_value("Ferries")


async def test_questions_are_edited_at_the_gate_and_every_window_sees_it_pass(arrive: Arrive, site: Site) -> None:
    session_id = await site.create("Empty houses", language="en", start=True, pauseBefore=["1.EXECUTE"])
    await site.until_status(session_id, "WAITING")
    async with arrive(f"/sessions/{session_id}") as page, arrive(f"/sessions/{session_id}") as other:
        await expect(page.get_by_role("heading", name="Approve, and 3 searches are bought")).to_be_visible()
        async with Unmoved(page, other):
            await page.get_by_label("Question 1").fill(OWN_QUESTION)
            await page.get_by_label("Question 3").fill("")
            await page.get_by_role("button", name="Approve and go on").click()

            await until_home(page)
            await until_home(other)
    bought = [task for task in await site.tasks(session_id) if task["stepName"] == "EXECUTE"]
    assert len(bought) == 2
    assert OWN_QUESTION in str(bought[0]["request"])


async def test_a_budget_is_raised_and_the_session_goes_on(arrive: Arrive, site: Site) -> None:
    session_id = await site.create("Household accounts", language="en", start=True, budgetUsd=0.08)
    await site.until_status(session_id, "WAITING")
    async with arrive(f"/sessions/{session_id}") as page:
        await page.get_by_label("New budget in USD").fill("1")
        await page.get_by_role("button", name="Raise the budget and go on").click()

        await until_home(page)


async def test_a_failed_session_says_why_and_is_tried_again(arrive: Arrive, site: Site) -> None:
    session_id = await site.struck("Early trains", REFUSED)
    await site.until_status(session_id, "FAILED")
    async with arrive(f"/sessions/{session_id}") as page:
        await expect(page.get_by_role("heading", name="failed, and needs you")).to_be_visible()
        await expect(page.get_by_text("RequestRejected: the model refused").first).to_be_visible()

        await page.get_by_role("button", name="Try again").click()

        await until_home(page)


async def unknown(site: Site) -> str:
    session_id = await site.struck("Night buses", REPLY_LOST)
    await site.until_status(session_id, "WAITING")
    return session_id


async def test_an_unknown_outcome_is_sent_again_when_a_person_says_so(arrive: Arrive, site: Site) -> None:
    session_id = await unknown(site)
    async with arrive(f"/sessions/{session_id}") as page:
        await expect(page.get_by_role("heading", name="nobody can say whether 1 call was bought")).to_be_visible()
        await page.get_by_label("Send it again").check()
        await page.get_by_role("button", name="Decide").click()

        await until_home(page)


async def test_the_run_that_the_provider_shows_is_attached_and_nothing_is_bought_twice(
    arrive: Arrive, site: Site
) -> None:
    session_id = await unknown(site)
    [lost] = [call["runId"] for call in await site.bill(session_id) if call["replyLost"]]
    async with arrive(f"/sessions/{session_id}") as page:
        await page.get_by_label("Attach the run").check()
        await page.get_by_label("Run id").fill(lost)
        await page.get_by_role("button", name="Decide").click()

        await until_home(page)
    assert len([call for call in await site.bill(session_id) if call["provider"] == "perplexity"]) == 3


async def test_a_session_is_cancelled_only_by_who_means_it(arrive: Arrive, site: Site) -> None:
    session_id = await site.create("Umbrellas", start=True, pauseBefore=["1.THINK"])
    async with arrive(f"/sessions/{session_id}") as page:
        await page.get_by_text("What else can be done").click()
        cancelling = page.locator("form", has=page.get_by_role("button", name="Cancel the session"))
        await cancelling.get_by_role("button").click()
        await expect(page.get_by_role("heading", name="Stopped before")).to_be_visible()

        await cancelling.get_by_label("Yes").check()
        await cancelling.get_by_role("button").click()

        await expect(page.get_by_role("heading", name="Cancelled.")).to_be_visible()
