"""A window of one's own, and everything the browser has against the pages that are looked at in it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, ViewportSize

PATIENCE_MILLISECONDS = 60_000
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1440, "height": 900}
_OF_ITSELF = ("data:", "blob:", "about:")
_MAY_BE_REFUSED = ("document", "fetch", "xhr")
"""An answer to what a person did: 404 and 409 are pages, too."""
_REFUSALS = ("Failed to load resource: the server responded with a status of 4", "Response Status Error Code 4")
"""How Chromium and htmx speak of such answers."""
_OUTAGES = ("Failed to load resource", "Response Status Error Code 50", "htmx:sendError")
"""How they speak of a gateway that is away."""


class Complaints(list[str]):
    """What must not happen on any page: errors, broken rules of its content policy, requests to other hosts."""

    def __init__(self, home: str, *, outages: bool) -> None:
        super().__init__()
        self._home = urlsplit(home).netloc
        self._outages = outages

    def listen(self, context: BrowserContext) -> None:
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.append(f"{error.page and error.page.url}: {error.error}"))

    def _request(self, request: Request) -> None:
        if not request.url.startswith(_OF_ITSELF) and urlsplit(request.url).netloc != self._home:
            self.append(f"asked another host: {request.method} {request.url}")

    def _response(self, response: Response) -> None:
        status, kind = response.status, response.request.resource_type
        if self._outages and status in (502, 503):
            return
        if status >= 500 or (status >= 400 and kind not in _MAY_BE_REFUSED):
            self.append(f"{response.request.method} {response.url} answered {status}")

    def _console(self, message: ConsoleMessage) -> None:
        foreseen = (*_REFUSALS, *_OUTAGES) if self._outages else _REFUSALS
        if message.type in ("error", "warning") and not message.text.startswith(foreseen):
            self.append(f"{message.page and message.page.url} said: {message.text}")


@asynccontextmanager
async def window(
    browser: Browser, home: str, path: str, *, outages: bool = False, **habits: Any
) -> AsyncGenerator[Page]:
    """Open a page; `habits` are Playwright's: locale, color_scheme, viewport, java_script_enabled.

    With `outages` the gateway may be away for a while, and the browser may say so.
    """
    complaints = Complaints(home, outages=outages)
    settings: dict[str, Any] = {"base_url": home, "locale": "en-GB", "viewport": DESK, **habits}
    context = await browser.new_context(**settings)
    try:
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        complaints.listen(context)
        page = await context.new_page()
        await page.goto(path)
        yield page
    except BaseException as failure:
        failure.add_note(f"The browser said: {complaints or 'nothing'}")
        raise
    finally:
        await context.close()
    assert not complaints, "\n".join(complaints)


async def sign_in(page: Page, secret: str) -> None:
    await page.get_by_label("API key").fill(secret)
    await page.get_by_role("button", name="Sign in").click()
