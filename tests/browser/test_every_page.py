"""What holds for every page, in every state, in both languages, light and dark, on a phone and on a desk."""

from collections.abc import Mapping

import pytest
from playwright.async_api import ViewportSize

from tests.browser.axe import violations
from tests.browser.conftest import Arrive
from tests.browser.gallery import Gallery
from tests.browser.pages import IN_ENGLISH_ONLY, PAGES
from tests.browser.window import DESK, PHONE

MOST_FOLDS = 12
OPEN_SOME = "most => [...document.querySelectorAll('details')].slice(0, most).forEach(fold => { fold.open = true })"
"""What is folded belongs to the page; of a hundred alike some are enough."""
LOOKS: Mapping[str, tuple[str, str, ViewportSize, ViewportSize]] = {
    "japanese-dark-phone": ("ja", "dark", PHONE, DESK),
    "english-light-desk": ("en", "light", DESK, PHONE),
}
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("look", LOOKS)
async def test_a_page_is_for_everybody_and_never_wider_than_its_window(
    arrive: Arrive, gallery: Gallery, name: str, look: str
) -> None:
    language, scheme, first, then = LOOKS[look]
    path = PAGES[name].format(**gallery)
    async with arrive(path, locale=language, color_scheme=scheme, viewport=first) as page:
        await page.evaluate(OPEN_SOME, MOST_FOLDS)
        assert await page.get_attribute("html", "lang") == ("en" if name in IN_ENGLISH_ONLY else language)
        assert await page.evaluate(TOO_WIDE) <= 0
        assert await violations(page) == []
        await page.set_viewport_size(then)
        assert await page.evaluate(TOO_WIDE) <= 0
