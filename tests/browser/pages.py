"""Every page there is, by name: `{…}` stands for a session of the gallery."""

from collections.abc import Mapping

PAGES: Mapping[str, str] = {
    "reference": "/docs",
}
IN_ENGLISH_ONLY = frozenset({"reference"})
