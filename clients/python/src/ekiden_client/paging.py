"""Lists in pages, as one iterator."""

from collections.abc import AsyncGenerator, Awaitable, Callable

from ekiden_client.models.document import D, Page

LARGEST_PAGE = 100


async def through(page: Callable[[str | None], Awaitable[Page[D]]]) -> AsyncGenerator[D]:
    """Give the items of all pages. What is created meanwhile at the front of a list is not among them."""
    cursor: str | None = None
    while True:
        found = await page(cursor)
        for item in found.items:
            yield item
        cursor = found.next_cursor
        if cursor is None:
            return
