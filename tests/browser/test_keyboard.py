"""Hands that stay on the keyboard."""

from playwright.async_api import Page, expect

from tests.browser.conftest import Arrive
from tests.browser.watching import until_home

MOST_STOPS = 60
FOCUSED = """() => {
  const here = document.activeElement
  return here.matches(":focus-visible") ? (here.labels?.[0] ?? here).innerText : ""
}"""
"""What is called by its label, or by itself; nothing while nobody could see that it has the focus."""


async def tab_to(page: Page, called: str) -> None:
    """Press Tab until what has the focus, and shows it, is called so."""
    for _ in range(MOST_STOPS):
        await page.keyboard.press("Tab")
        if called in await page.evaluate(FOCUSED):
            return
    raise AssertionError(f"Tab never comes to {called}")


async def test_a_session_is_started_and_its_gate_passed_without_a_mouse(arrive: Arrive) -> None:
    async with arrive("/") as page:
        await tab_to(page, "Start a session")
        await page.keyboard.press("Enter")
        await expect(page).to_have_title("Start a session · Ekiden")
        await tab_to(page, "Theme")
        await page.keyboard.type("Paper maps")
        await tab_to(page, "before the searches of leg 1")
        await page.keyboard.press("Space")
        await tab_to(page, "Hand over the sash")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Approve, and 3 searches are bought")).to_be_visible()

        await tab_to(page, "Approve and go on")
        await page.keyboard.press("Enter")

        await until_home(page)


async def test_the_first_stop_leads_past_the_navigation(arrive: Arrive) -> None:
    async with arrive("/") as page:
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")

        assert await page.evaluate("document.activeElement.id") == "main"
