"""What a template uses of what earlier steps provide, found without running it.

The variables are sample values: every expression that leads into them is followed, in branches no sample takes too,
in loops and in included parts. Where a value cannot be known the look ends there; the rehearsal sees the rest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from jinja2 import Environment, TemplateError, nodes

from ekiden.workflow.form import did_you_mean


@dataclass(frozen=True)
class Seen:
    """A value with the way to it, as the author of a prompt would write it."""

    value: object = None
    path: str = ""
    known: bool = False


UNKNOWN = Seen()
Scope = dict[str, Seen]
Wrong = tuple[str, int, str, str]
"""Template, line, what, and what may be meant."""
MOST_PARTS = 1_000
"""Parts that one prompt takes in; of more the rehearsal says that they multiply."""
_LIKE_THEIR_INPUT = frozenset({"sort", "reverse", "list", "unique", "select", "reject", "selectattr", "rejectattr"})
_ITEMS = frozenset({"first", "last", "random"})
_GUARDS = frozenset({"defined", "undefined"})


class Reader:
    """Reads the templates of one language; `paths` are those it found in use, `files` the templates it came through."""

    def __init__(self, environment: Environment, templates: Mapping[str, str]) -> None:
        self._environment = environment
        self._templates = templates
        self.paths: set[str] = set()
        self.files: set[str] = set()
        self._wrong: dict[Wrong, None] = {}
        self._open: list[str] = []
        self._parts = 0
        self._trees: dict[str, nodes.Template | None] = {}

    def read(self, name: str, context: Mapping[str, object]) -> list[Wrong]:
        """All that a template uses and nobody provides. What cannot be parsed is said elsewhere."""
        self._wrong, self._parts = {}, 0
        self._file(name, {key: Seen(value, key, known=True) for key, value in context.items()})
        return list(self._wrong)

    def parsed(self, name: str) -> nodes.Template | None:
        """A template's tree, or None when there is none or it cannot be parsed."""
        if name not in self._trees:
            try:
                self._trees[name] = self._environment.parse(self._templates[name])
            except (KeyError, TemplateError):
                self._trees[name] = None
        return self._trees[name]

    def _file(self, name: str, scope: Scope) -> None:
        self.files.add(name)
        self._parts += 1
        parsed = self.parsed(name)
        if name in self._open or parsed is None or self._parts > MOST_PARTS:
            return
        self._open.append(name)
        try:
            self._all(parsed.body, scope)
        finally:
            self._open.pop()

    def _all(self, body: list[nodes.Node], scope: Scope) -> None:
        for node in body:
            self._node(node, scope)

    def _node(self, node: nodes.Node, scope: Scope) -> None:
        match node:
            case nodes.For():
                inner = scope | _bound(node.target, _item(self._value(node.iter, scope))) | {"loop": UNKNOWN}
                if node.test is not None:
                    self._value(node.test, inner)
                self._all(node.body, inner)
                self._all(node.else_, scope)
            case nodes.Assign():
                scope |= _bound(node.target, self._value(node.node, scope))
            case nodes.With():
                inner = dict(scope)
                for target, value in zip(node.targets, node.values, strict=True):
                    inner |= _bound(target, self._value(value, scope))
                self._all(node.body, inner)
            case nodes.Macro() | nodes.CallBlock():
                own = _names(node.args)
                if isinstance(node, nodes.Macro):
                    scope[node.name] = UNKNOWN
                else:
                    self._value(node.call, scope)
                self._all(node.body, scope | dict.fromkeys([*own, "caller", "varargs", "kwargs"], UNKNOWN))
            case nodes.Block() | nodes.Scope() | nodes.FilterBlock():
                self._all(node.body, dict(scope))
            case nodes.AssignBlock():
                scope |= _bound(node.target, UNKNOWN)
                self._all(node.body, dict(scope))
            case nodes.Include():
                for name in _constants(node.template):
                    self._file(name, dict(scope))
            case nodes.Import() | nodes.FromImport():
                self._import(node, scope)
            case nodes.Expr():
                self._value(node, scope)
            case _:
                for child in node.iter_child_nodes():
                    self._node(child, scope)

    def _import(self, node: nodes.Import | nodes.FromImport, scope: Scope) -> None:
        self.files.update(_constants(node.template))
        if isinstance(node, nodes.Import):
            scope[node.target] = UNKNOWN
            return
        for name in node.names:
            scope[name[1] if isinstance(name, tuple) else name] = UNKNOWN

    def _value(self, node: nodes.Node, scope: Scope, *, whole: bool = True) -> Seen:
        """What an expression is; `whole` when its value is used as it is, and not only a part of it."""
        match node:
            case nodes.Name():
                return self._name(node, scope, whole=whole)
            case nodes.Getattr():
                return self._part(self._value(node.node, scope, whole=False), node.attr, node, whole=whole)
            case nodes.Getitem():
                return self._getitem(node, scope, whole=whole)
            case nodes.Test() if node.name in _GUARDS and isinstance(node.node, nodes.Name | nodes.Getattr):
                return UNKNOWN
            case nodes.Filter() if node.name in {"default", "d"} and isinstance(node.node, nodes.Name):
                return UNKNOWN
            case nodes.Filter() if node.node is not None:
                if node.name not in self._environment.filters:  # in a branch Jinja itself says so only when it is taken
                    near = did_you_mean(node.name, self._environment.filters)
                    self._say(node, f"No filter named {node.name!r}", near)
                found = self._value(node.node, scope)
                for child in [*node.args, *node.kwargs]:
                    self._node(child, scope)
                return found if node.name in _LIKE_THEIR_INPUT else _item(found) if node.name in _ITEMS else UNKNOWN
            case _:
                for child in node.iter_child_nodes():
                    self._node(child, scope)
                return UNKNOWN

    def _name(self, node: nodes.Name, scope: Scope, *, whole: bool) -> Seen:
        if node.name in scope:
            found = scope[node.name]
            if found.known and whole:
                self._used(found)
            return found
        if node.ctx == "load" and node.name not in self._environment.globals and node.name not in {"self", "super"}:
            near = did_you_mean(node.name, scope) or f"known here: {', '.join(sorted(scope))}"
            self._say(node, f"unknown variable {node.name!r}", near)
        return UNKNOWN

    def _getitem(self, node: nodes.Getitem, scope: Scope, *, whole: bool) -> Seen:
        found = self._value(node.node, scope, whole=False)
        if isinstance(node.arg, nodes.Slice):
            self._node(node.arg, scope)
            return found
        if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return self._part(found, node.arg.value, node, whole=whole)
        self._node(node.arg, scope)
        return _item(found)

    def _part(self, found: Seen, name: str, node: nodes.Node, *, whole: bool) -> Seen:
        if not found.known:
            return UNKNOWN
        path = f"{found.path}.{name}"
        if isinstance(found.value, dict):
            fields = cast("dict[str, object]", found.value)
            if name in fields:
                part = Seen(fields[name], path, known=True)
                if whole:
                    self._used(part)
                return part if fields[name] is not None else UNKNOWN
            if hasattr(fields, name):
                self._used(found)
            else:
                near = did_you_mean(name, fields) or f"there is {', '.join(map(str, fields)) or 'nothing yet'}"
                self._say(node, f"unknown attribute {path}", near)
        elif isinstance(found.value, list) and not hasattr(cast("list[object]", found.value), name):
            self._say(node, f"{found.path} is a list and has no {name!r}", "loop over it, or take an item: [0]")
        elif isinstance(found.value, int | float) and not hasattr(found.value, name):
            self._say(node, f"{found.path} is a number and has no {name!r}", "")
        else:
            self._used(found)
        return UNKNOWN

    def _used(self, found: Seen) -> None:
        """A value used as a whole uses all its parts."""
        self.paths.add(found.path)
        if isinstance(found.value, dict):
            self.paths |= {f"{found.path}.{name}" for name in cast("dict[str, object]", found.value)}

    def _say(self, node: nodes.Node, what: str, near: str) -> None:
        self._wrong[self._open[-1], node.lineno, what, near] = None


def _item(found: Seen) -> Seen:
    items = cast("list[object]", found.value) if isinstance(found.value, list) else []
    return Seen(items[0], f"{found.path}[]", known=True) if found.known and items else UNKNOWN


def _bound(target: nodes.Node, value: Seen) -> Scope:
    if isinstance(target, nodes.Name):
        return {target.name: value}
    return dict.fromkeys(_names(list(target.find_all(nodes.Name))), UNKNOWN)


def _names(found: list[nodes.Name]) -> list[str]:
    return [name.name for name in found]


def _constants(template: nodes.Node) -> Iterator[str]:
    """The names in an include or import: one, or a list of which the first that exists counts."""
    for node in [template, *template.iter_child_nodes()]:
        if isinstance(node, nodes.Const):
            values: object = node.value
            yield from cast("tuple[str, ...]", values) if isinstance(values, tuple) else [str(values)]
