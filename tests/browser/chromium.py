"""Chromium as Playwright drives it: nothing leaves this machine."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

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
_FONTS = Path(__file__).with_name("fonts.conf")


@asynccontextmanager
async def browser() -> AsyncGenerator[Browser]:
    """Raises NotProvided where there is no Chromium, with what to do about it."""
    environment: dict[str, str | float | bool] = {**os.environ, "FONTCONFIG_FILE": str(_FONTS)}
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium(), args=_LONELY, env=environment)
        try:
            yield running
        finally:
            await running.close()
