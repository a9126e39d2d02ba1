"""How a visitor likes to read: language, light or dark. And what nobody likes: markup in somebody's text."""

from playwright.async_api import expect

from tests.browser.conftest import Arrive
from tests.site import Site

PAPER = "getComputedStyle(document.body).backgroundColor"
HOSTILE = (
    '<img src="http://tracker.example/x.png" onerror="document.title=\'taken\'"><script>document.title="taken"</script>'
)


async def test_a_language_is_chosen_and_kept(arrive: Arrive) -> None:
    async with arrive("/") as page:
        await page.get_by_role("button", name="日本語").click()
        await expect(page.locator("html")).to_have_attribute("lang", "ja")

        await page.goto("/start")
        await expect(page.locator("html")).to_have_attribute("lang", "ja")


async def test_dark_is_chosen_at_once_and_kept(arrive: Arrive) -> None:
    async with arrive("/", color_scheme="light") as page:
        by_day = await page.evaluate(PAPER)
        async with page.expect_response("**/preferences"):
            await page.get_by_role("button", name="Dark").click()
        by_night = await page.evaluate(PAPER)
        assert by_night != by_day

        await page.reload()
        assert await page.evaluate(PAPER) == by_night


async def test_the_choices_need_no_script(arrive: Arrive) -> None:
    async with arrive("/", java_script_enabled=False) as page:
        await page.get_by_role("button", name="Dark").click()
        await expect(page.locator("html")).to_have_attribute("data-theme", "dark")


async def test_what_somebody_wrote_is_text_and_nothing_else(arrive: Arrive, site: Site) -> None:
    session_id = await site.create(HOSTILE, metadata={"from": HOSTILE})
    async with arrive(f"/sessions/{session_id}") as page:
        await expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
        await page.goto("/")
        await expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
        assert await page.title() == "Sessions · Ekiden"
