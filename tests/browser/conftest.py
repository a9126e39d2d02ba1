"""One stack and one Chromium for all tests of this folder; whoever looks has a window of their own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import pytest
from playwright.async_api import Browser, Page, expect

from ekiden_native import Stack
from tests.browser.chromium import browser
from tests.browser.gallery import Gallery, hung
from tests.browser.stack import address_behind_keys, browsed_stack
from tests.browser.window import PATIENCE_MILLISECONDS, window
from tests.site import Site, client_of


class Arrive(Protocol):
    """Somebody comes to a page, with habits as Playwright names them; at `home`, else at the open gateway."""

    def __call__(self, path: str, *, home: str | None = None, **habits: Any) -> AbstractAsyncContextManager[Page]: ...


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = browsed_stack(tmp_path_factory.mktemp("stack"))
    try:
        made.up(timeout=120)
        yield made
    finally:
        made.down(wipe=True)


@pytest.fixture(scope="package")
async def site(stack: Stack) -> AsyncIterator[Site]:
    async with client_of(stack, "GATEWAY") as api, client_of(stack, "SIMULATOR") as simulator:
        yield Site(stack, api, simulator)


@pytest.fixture(scope="package")
async def gallery(site: Site) -> AsyncIterator[Gallery]:
    async with hung(site) as gallery:
        yield gallery


@pytest.fixture(scope="package")
def behind_keys(stack: Stack) -> str:
    """The address of a gateway that asks for keys."""
    return address_behind_keys(stack)


@pytest.fixture(scope="package")
async def chromium() -> AsyncIterator[Browser]:
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    async with browser() as running:
        yield running


@pytest.fixture
def arrive(chromium: Browser, stack: Stack) -> Arrive:
    """Whatever the browser has against a page fails the test when its window is closed."""

    def arrive(path: str, *, home: str | None = None, **habits: Any) -> AbstractAsyncContextManager[Page]:
        return window(chromium, home or stack.env["EKIDEN_GATEWAY_URL"], path, **habits)

    return arrive
