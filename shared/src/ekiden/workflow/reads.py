"""What of its context a prompt can read, found in its templates without running them, so that no more is made for it.

Never less than a rendering reads: what is not sure counts as read.
"""

from collections.abc import Mapping

from jinja2 import Environment, TemplateError, nodes
from jinja2.meta import find_referenced_templates


class Reads:
    """What the templates of one language can read; each prompt is looked through once."""

    def __init__(self, environment: Environment, templates: Mapping[str, str]) -> None:
        self._environment = environment
        self._templates = templates
        self._paths: dict[str, frozenset[str] | None] = {}

    def may_read(self, template: str, name: str, part: str) -> bool:
        """Whether a template, or what it takes in, can read a part of a variable."""
        if template not in self._paths:
            self._paths[template] = _paths(self._environment, self._templates, template)
        paths = self._paths[template]
        return paths is None or name in paths or f"{name}.{part}" in paths


def _paths(environment: Environment, templates: Mapping[str, str], template: str) -> frozenset[str] | None:
    """`name.part` where one part of a variable is named, `name` where it may be any of them. None: all there is.

    That is so where a template takes in what cannot be told beforehand, or what is wrong: rendering says how.
    """
    paths: set[str] = set()
    left, seen = [template], set[str]()
    while left:
        seen.add(name := left.pop())
        try:
            tree = environment.parse(templates[name])
        except (KeyError, TemplateError):
            return None
        paths |= _named(tree)
        for other in find_referenced_templates(tree):
            if other is None:
                return None
            if other not in seen:
                left.append(other)
    return frozenset(paths)


def _named(tree: nodes.Template) -> set[str]:
    """Locals count too: to tell them apart would only find less."""
    paths: set[str] = set()
    left: list[nodes.Node] = [tree]
    while left:
        match left.pop():
            case nodes.Getattr(node=nodes.Name(name=name), attr=part) if not hasattr(dict, part):  # `items`: all of it
                paths.add(f"{name}.{part}")
            case nodes.Name(name=name):
                paths.add(name)
            case node:
                left.extend(node.iter_child_nodes())
    return paths
