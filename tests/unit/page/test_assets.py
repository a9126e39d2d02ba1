"""The files of the page are what they were made of, and are kept by their content's name."""

import hashlib
import re

from ekiden_gateway.page.assets import FOLDER, address, assets
from ekiden_gateway.page.rendering import TEMPLATES

HTMX = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
"""SHA-256 of dist/htmx.min.js in the package htmx.org 2.0.11."""


def test_htmx_is_the_one_that_was_published() -> None:
    assert hashlib.sha256((FOLDER / "htmx-2.0.11.min.js").read_bytes()).hexdigest() == HTMX
    assert "BSD" in (FOLDER / "htmx-LICENSE.txt").read_text("utf-8")


def test_an_address_names_its_content() -> None:
    for name, asset in assets().items():
        assert address(name) == f"/static/{hashlib.sha256(asset.body).hexdigest()[:16]}/{name}"


def test_style_and_script_load_nothing() -> None:
    css = (FOLDER / "ekiden.css").read_text("utf-8")
    assert not re.search(r"@import|url\(|@font-face", css)
    script = (FOLDER / "ekiden.js").read_text("utf-8")
    assert not re.search(r"https?://|eval\(|innerHTML|insertAdjacentHTML|document\.write|new Function", script)


def test_templates_have_no_script_or_style_of_their_own() -> None:
    for path in TEMPLATES.glob("*.j2"):
        if path.name == "reference.html.j2":
            continue
        source = path.read_text("utf-8")
        assert not re.search(r"<style|\bstyle=|\bon[a-z]+=\"|<script(?! src=\"\{\{)|<img|<iframe|\|\s*safe\b", source)
        assert "https://" not in source
