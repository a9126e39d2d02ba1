"""Reads a page as a browser would: which elements it has, which attributes, and whether it closes what it opens."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "link", "input", "br", "rect", "path", "circle", "line"})


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Markup(HTMLParser):
    elements: list[Element] = field(default_factory=list[Element])
    ids: list[str] = field(default_factory=list[str])
    _open: list[Element] = field(default_factory=list[Element])

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    @classmethod
    def of(cls, page: str) -> "Markup":
        """Fails when something is closed that is not open, or left open."""
        made = cls()
        made.feed(page)
        made.close()
        assert not made._open, [element.tag for element in made._open]
        return made

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if name := element.attributes.get("id"):
            self.ids.append(name)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            opened = self._open.pop()
            assert opened.tag == tag, f"<{opened.tag} {opened.attributes}> is closed by </{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, tag: str, **attributes: str) -> list[Element]:
        wanted = attributes.items()
        return [e for e in self.elements if e.tag == tag and all(e.attributes.get(k) == v for k, v in wanted)]
