"""What holds for every page, in every state, in both languages, light and dark, on a phone and on a desk."""

import pytest
from playwright.async_api import Page

from tests.browser.axe import violations
from tests.browser.conftest import Arrive
from tests.browser.gallery import Gallery
from tests.browser.pages import IN_ENGLISH_ONLY, PAGES
from tests.browser.window import DESK, PHONE

MOST_FOLDS = 12
OPEN_SOME = "most => [...document.querySelectorAll('details')].slice(0, most).forEach(fold => { fold.open = true })"
"""What is folded belongs to the page; of a hundred alike some are enough."""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def unfold(page: Page) -> None:
    await page.evaluate(OPEN_SOME, MOST_FOLDS)


@pytest.mark.parametrize("name", PAGES)
async def test_axe_finds_nothing_by_day_or_night(arrive: Arrive, gallery: Gallery, name: str) -> None:
    async with arrive(PAGES[name].format(**gallery), color_scheme="light") as page:
        await unfold(page)
        assert await violations(page) == []
        await page.emulate_media(color_scheme="dark")
        assert await violations(page) == []


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_speaks_the_readers_language_and_is_never_wider_than_the_window(
    arrive: Arrive, gallery: Gallery, name: str, language: str
) -> None:
    async with arrive(PAGES[name].format(**gallery), locale=language, viewport=PHONE) as page:
        await unfold(page)
        assert await page.get_attribute("html", "lang") == ("en" if name in IN_ENGLISH_ONLY else language)
        assert await page.evaluate(TOO_WIDE) <= 0
        await page.set_viewport_size(DESK)
        assert await page.evaluate(TOO_WIDE) <= 0
