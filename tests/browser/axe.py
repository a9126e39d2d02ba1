"""axe-core looks a page over for whoever does not see it, has no mouse, or needs contrast: all of its rules.

The wheel `axe-playwright-python` carries the npm registry's file; the lock pins its hash.
"""

from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

AXE = Axe()
OPTIONS = {"resultTypes": ["violations"]}


async def violations(page: Page) -> list[str]:
    """What is wrong with the page as it stands now, one line for each element."""
    found: list[dict[str, Any]] = (await AXE.run(page, options=OPTIONS)).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {' '.join(map(str, node['target']))}: {node['html'][:200]}"
        for rule in found
        for node in rule["nodes"]
    ]
