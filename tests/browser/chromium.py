"""Chromium as Playwright drives it: nothing leaves this machine."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from ekiden_native.provision import chromium

_LONELY = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
"""A browser calls home from its first second on. Here it has nobody to call."""


@asynccontextmanager
async def browser() -> AsyncGenerator[Browser]:
    """Raises NotProvided where there is no Chromium, with what to do about it."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium(), args=_LONELY)
        try:
            yield running
        finally:
            await running.close()
