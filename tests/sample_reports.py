"""Makes docs/samples again: a session in each language on a stack of its own, its report and its drafts."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ekiden_native import Stack
from ekiden_native.ports import own_ports
from tests.site import SESSIONS, Site, client_of

FOLDER = Path(__file__).parents[1] / "docs" / "samples"
WISHES: Mapping[str, Mapping[str, str]] = {
    "ja": {"theme": "AIと働き方", "platform": "note"},
    "en": {"theme": "remote work and small towns", "platform": "linkedin"},
}
FILES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "report.{language}.md": ("report", {}),
    "drafts.{language}.md": ("drafts", {"format": "markdown"}),
    "drafts.{language}.csv": ("drafts", {"format": "csv"}),
}


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), env={"EKIDEN_SIMULATOR_TIME_SCALE": "0.02", **own_ports()})
        try:
            await asyncio.to_thread(stack.up, 120)
            async with client_of(stack, "GATEWAY") as api, client_of(stack, "SIMULATOR") as simulator:
                for language, wish in WISHES.items():
                    await _keep(Site(stack, api, simulator), language, wish)
        finally:
            await asyncio.to_thread(stack.down, wipe=True)


async def _keep(site: Site, language: str, wish: Mapping[str, str]) -> None:
    session_id = await site.struck(wish["theme"], platform=wish["platform"], language=language)
    await site.until_status(session_id, "COMPLETED")
    for name, (what, query) in FILES.items():
        answer = (await site.api.get(f"{SESSIONS}/{session_id}/{what}", params=query)).raise_for_status()
        (FOLDER / name.format(language=language)).write_bytes(answer.content)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    asyncio.run(main())
