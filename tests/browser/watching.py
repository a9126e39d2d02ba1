"""Watching a session's page, as long as it takes."""

from playwright.async_api import Page, expect


async def until_home(page: Page) -> None:
    """Until the drafts are there, without anything being done for it."""
    await expect(page.get_by_role("heading", name="The sash is home: 3 drafts are ready")).to_be_visible()
    await expect(page.get_by_role("article")).to_have_count(3)


class Unmoved:
    """A page that is not loaded again while something happens on it."""

    def __init__(self, *pages: Page) -> None:
        self._pages = pages

    async def __aenter__(self) -> None:
        for page in self._pages:
            await page.evaluate("window.mark = true")

    async def __aexit__(self, failed: type[BaseException] | None, *_: object) -> None:
        for page in self._pages if failed is None else ():
            assert await page.evaluate("window.mark"), f"{page.url} was loaded again"
