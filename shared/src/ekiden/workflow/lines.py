"""YAML and JSON with the line of every key, so that a mistake can be found where it was made."""

import json
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, cast

import yaml

Place = tuple[str | int, ...]
"""Where a value is: the keys and indices that lead to it."""
MOST_VALUES = 20_000
"""More is no workflow, but a file whose aliases multiply."""
LARGEST_NUMBER = 2**63 - 1
"""What a database keeps of an integer; YAML and JSON have no bound of their own."""
_PLAINLY = "write it plainly: a text in quotes, a number, true, false or null"
_TOO_LARGE = "is too large a number"


@dataclass
class Parsed:
    """A file's value, the line of each of its places, and what is wrong by line."""

    value: object = None
    lines: dict[Place, int] = field(default_factory=dict[Place, int])
    wrong: list[tuple[int | None, str, str]] = field(default_factory=list[tuple[int | None, str, str]])

    def add(self, line: int | None, what: str, suggestion: str = "") -> None:
        self.wrong.append((line, what, suggestion))


def line_of(lines: Mapping[Place, int], place: Place) -> int | None:
    """The line of a place, or of what holds it when it is not there."""
    for length in range(len(place), 0, -1):
        if place[:length] in lines:
            return lines[place[:length]]
    return min(lines.values(), default=None)


def parse_yaml(text: str) -> Parsed:
    """Read one YAML document of plain values. Never raises."""
    parsed = Parsed()
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        if node is not None:
            parsed.value = _Yaml(parsed).value(node, ())
    except yaml.YAMLError as error:
        parsed.add(_yaml_line(error, text), f"is no YAML: {_yaml_words(error)}")
    except RecursionError:
        parsed.add(None, "is nested too deep")
    return parsed


def parse_json(text: str) -> Parsed:
    """Read JSON. Never raises."""
    parsed = Parsed()
    try:
        parsed.value = json.loads(text, parse_constant=_no_constant, parse_int=_integer)
        _Json(text, parsed).value(0, ())
    except json.JSONDecodeError as error:
        parsed.add(error.lineno, f"is no JSON: {error.msg} in column {error.colno}")
    except ValueError as error:
        parsed.add(None, f"is no JSON: {error}")
    except RecursionError:
        parsed.add(None, "is nested too deep")
    return parsed


def is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: escapes can make halves of characters."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


class _Yaml:
    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._scalars = yaml.constructor.SafeConstructor()
        self._above: list[yaml.Node] = []
        self._count = 0

    def value(self, node: yaml.Node, place: Place) -> object:
        self._count += 1
        if self._count > MOST_VALUES or any(node is above for above in self._above):
            raise yaml.MarkedYAMLError(problem="too many values: its aliases multiply", problem_mark=node.start_mark)
        self._above.append(node)
        self._parsed.lines.setdefault(place, _line(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, place)
            if isinstance(node, yaml.SequenceNode):
                items = cast("list[yaml.Node]", node.value)
                return [self.value(item, (*place, index)) for index, item in enumerate(items)]
            return self._scalar(node)
        finally:
            self._above.pop()

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, object]:
        made: dict[str, object] = {}
        for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            name = self._scalar(key) if isinstance(key, yaml.ScalarNode) else None
            if key.tag == "tag:yaml.org,2002:merge":
                self._parsed.add(_line(key), "<< is not understood here: write the keys out")
            elif not isinstance(name, str):
                self._parsed.add(_line(key), f"a key must be a text: quote {_shown(key)}")
            elif name in made:
                first = self._parsed.lines[(*place, name)]
                self._parsed.add(_line(key), f"the key {name!r} is given twice, first in line {first}")
            else:
                self._parsed.lines[*place, name] = _line(key)
                made[name] = self.value(value, (*place, name))
        return made

    def _scalar(self, node: yaml.Node) -> object:
        if node.tag == "tag:yaml.org,2002:timestamp":
            return str(node.value)
        try:
            value: object = self._scalars.construct_object(node)
        except (ValueError, LookupError, OverflowError):
            kind = node.tag.rpartition(":")[2]
            self._parsed.add(_line(node), f"{_shown(node)} cannot be read as !!{kind}", _PLAINLY)
            return None
        plain = value is None or isinstance(value, str | int | float)
        if not plain or (isinstance(value, float) and not math.isfinite(value)):
            self._parsed.add(_line(node), f"{_shown(node)} is no text, number, true, false or null")
            return None
        if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            self._parsed.add(_line(node), f"{_shown(node)} {_TOO_LARGE}")
            return None
        if isinstance(value, str) and not is_unicode(value):
            self._parsed.add(_line(node), "holds half a character: its escapes are no valid Unicode")
            return None
        return value


class _Json:
    """Walks a text that is known to be JSON."""

    def __init__(self, text: str, parsed: Parsed) -> None:
        self._text = text
        self._parsed = parsed
        self._decoder = json.JSONDecoder(parse_int=_integer)
        self._ends = [index for index, character in enumerate(text) if character == "\n"]

    def value(self, at: int, place: Place) -> int:
        at = self._space(at)
        self._parsed.lines.setdefault(place, self._line(at))
        if self._text[at] == "{":
            return self._object(at, place)
        if self._text[at] == "[":
            return self._array(at, place)
        found, end = self._decoder.raw_decode(self._text, at)
        self._is_plain(found, at)
        return end

    def _object(self, at: int, place: Place) -> int:
        seen: set[str] = set()
        at = self._space(at + 1)
        while self._text[at] != "}":
            line, name_at = self._line(at), at
            found, at = self._decoder.raw_decode(self._text, at)
            name = str(found)
            self._is_plain(name, name_at)
            if name in seen:
                self._parsed.add(line, f"the key {name!r} is given twice")
            seen.add(name)
            self._parsed.lines[*place, name] = line
            at = self._space(self.value(self._space(at) + 1, (*place, name)))
            at = self._space(at + 1) if self._text[at] == "," else at
        return at + 1

    def _array(self, at: int, place: Place) -> int:
        index, at = 0, self._space(at + 1)
        while self._text[at] != "]":
            at = self._space(self.value(at, (*place, index)))
            at = self._space(at + 1) if self._text[at] == "," else at
            index += 1
        return at + 1

    def _is_plain(self, found: object, at: int) -> None:
        if isinstance(found, str) and not is_unicode(found):
            self._parsed.add(self._line(at), "holds half a character: its escapes are no valid Unicode")
        if isinstance(found, int | float) and not -LARGEST_NUMBER <= found <= LARGEST_NUMBER:
            self._parsed.add(self._line(at), _TOO_LARGE)

    def _line(self, at: int) -> int:
        return bisect_right(self._ends, at - 1) + 1

    def _space(self, at: int) -> int:
        while at < len(self._text) and self._text[at] in " \t\r\n":
            at += 1
        return at


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _integer(digits: str) -> float:
    """Python refuses to read very long ones."""
    return int(digits) if len(digits) <= len(str(LARGEST_NUMBER)) + 1 else math.inf


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _shown(node: yaml.Node) -> str:
    return ascii(node.value)[:80] if isinstance(node, yaml.ScalarNode) else "a collection"


def _yaml_line(error: yaml.YAMLError, text: str) -> int | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return mark.line + 1
    position = getattr(error, "position", None)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else None


def _yaml_words(error: yaml.YAMLError) -> str:
    words = [getattr(error, name, None) for name in ("context", "problem", "reason")]
    return ", ".join(str(word) for word in words if word) or "it cannot be parsed"
