"""Pictures of the pages for docs/page.md, light and dark, on a phone and on a desk: `make screenshots`."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple

import httpx
from playwright.async_api import Browser, FloatRect

from tests.browser.chromium import browser
from tests.browser.gallery import Gallery, hung
from tests.browser.stack import KEYS, address_behind_keys, browsed_stack
from tests.browser.window import DESK, PHONE, sign_in, window
from tests.site import Site, client_of

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
TALLEST = {390: 1500, 1440: 1200}
"""Pixels, by width: what is further down adds size to the repository and nothing to the tour."""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
TOP = "element => Math.max(0, element.getBoundingClientRect().top + scrollY - 24)"
PNGQUANT = ("pngquant", "--force", "--strip", "--speed=1", "--quality=85-99", "--ext=.png")


class Shot(NamedTuple):
    """`top` is where the picture begins; `secret` is that of the key somebody has signed in with."""

    path: str
    locale: str = "en"
    top: str = "body"
    behind_keys: bool = False
    secret: str = ""


SHOTS: Mapping[str, Shot] = {
    "sessions": Shot("/"),
    "start": Shot("/start"),
    "searching": Shot("/sessions/{searching}"),
    "gate": Shot("/sessions/{gate}"),
    "unknown": Shot("/sessions/{unknown}"),
    "failed": Shot("/sessions/{failed}"),
    "completed": Shot("/sessions/{completed}", "ja"),
    "drafts": Shot("/sessions/{english}", top="#drafts"),
    "call": Shot("/sessions/{english}/tasks/{english}.1E.g1.0"),
    "providers": Shot("/providers"),
    "dead-letters": Shot("/dead-letters"),
    "dead-letter": Shot("/dead-letters/{letter}"),
    "schedules": Shot("/schedules", "ja"),
    "new-schedule": Shot("/schedules/new", "ja"),
    "schedule": Shot("/schedules/{schedule}", "ja"),
    "webhooks": Shot("/webhooks"),
    "webhook": Shot("/webhooks/{webhook}"),
    "delivery": Shot("/webhooks/{webhook}/deliveries/{delivery}"),
    "gate-link": Shot("/gates/{link}", "ja"),
    "spent-link": Shot("/gates/{spent}", "ja"),
    "sign-in": Shot("/", behind_keys=True),
    "reference": Shot("/docs"),
    "keys": Shot("/keys", behind_keys=True, secret=KEYS["writer"]),
}
"""Keys come last: the first one that is made closes the open gateway."""
MADE_KEYS: Sequence[Mapping[str, object]] = (
    {"client": "newsroom", "scopes": ["read", "write"], "concurrentSessions": 5},
    {"client": "dashboards", "scopes": ["read"], "ratePerMinute": 30},
    {"client": "operations", "scopes": ["read", "write", "admin"]},
)


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stack = browsed_stack(Path(folder))
        try:
            await asyncio.to_thread(stack.up, 120)
            homes = {False: stack.env["EKIDEN_GATEWAY_URL"], True: address_behind_keys(stack)}
            async with (
                client_of(stack, "GATEWAY") as api,
                client_of(stack, "SIMULATOR") as simulator,
                hung(Site(stack, api, simulator)) as gallery,
                browser() as chromium,
            ):
                for name, shot in SHOTS.items():
                    if shot.secret:
                        await make_keys(homes[True], shot.secret)
                    await take(chromium, name, shot, homes[shot.behind_keys], gallery)
        finally:
            await asyncio.to_thread(stack.down, wipe=True)


async def take(chromium: Browser, name: str, shot: Shot, home: str, gallery: Gallery) -> None:
    """One page, four times."""
    habits: dict[str, Any] = {"locale": shot.locale, "timezone_id": "UTC", "reduced_motion": "reduce"}
    async with window(chromium, home, shot.path.format(**gallery), **habits) as page:
        if shot.secret:
            await sign_in(page, shot.secret)
            await page.wait_for_url(f"**{shot.path}")
        for scheme, size in product(SCHEMES, (PHONE, DESK)):
            await page.emulate_media(color_scheme=scheme)
            await page.set_viewport_size(size)
            picture = FOLDER / f"{name}-{scheme}-{size['width']}.png"
            top = await page.locator(shot.top).evaluate(TOP)
            height = min(await page.evaluate("document.documentElement.scrollHeight") - top, TALLEST[size["width"]])
            clip: FloatRect = {"x": 0, "y": top, "width": size["width"], "height": height}
            await page.screenshot(path=picture, full_page=True, clip=clip, animations="disabled")
            await asyncio.to_thread(subprocess.run, [*PNGQUANT, picture], check=True)


async def make_keys(home: str, secret: str) -> None:
    async with httpx.AsyncClient(base_url=home, headers={"X-API-Key": secret}, trust_env=False) as api:
        for key in MADE_KEYS:
            (await api.post("/api/keys", json=key)).raise_for_status()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    sys.exit(asyncio.run(main()))
