"""The files a page needs: ours and htmx, served by us, each under an address that names its content."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}


@dataclass(frozen=True, slots=True)
class Asset:
    """`path` changes with the content, so that a browser may keep it for ever."""

    path: str
    body: bytes
    media_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """All files by their name."""
    return {file.name: _asset(file) for file in sorted(FOLDER.iterdir())}


def address(name: str) -> str:
    """Where a file is to be had. Raises KeyError for one that is not there."""
    return assets()[name].path


def _asset(file: Path) -> Asset:
    body = file.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:16]
    return Asset(f"/static/{digest}/{file.name}", body, f"{_TYPES[file.suffix]}; charset=utf-8")
