"""The sandbox of templates: Jinja's own, with bounds, so that no template runs for minutes or fills the memory.

A rendering stops with TooMuch. What is bounded is counted, never timed, so that a template that passes its check on one
machine passes on all. The shipped prompts, on sample answers, stay below a hundredth of every bound.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from jinja2 import DictLoader, StrictUndefined, Template, TemplateRuntimeError, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

MOST_RANGE = 1_000
MOST_TURNS = 100_000
"""Turns of loops, calls of macros and functions, and parts taken in, in one rendering."""
LONGEST_TEXT = 4_000_000
"""Characters; more than the longest context of any model holds, a million tokens."""
MOST_BITS = 1_000
"""Of an integer that is multiplied up."""
WIDEST = 10_000
_TAKE_A_WIDTH = ("batch", "center", "indent", "slice")
"""Filters that make as much as a number says."""


class TooMuch(TemplateRuntimeError):
    """A template does more than any prompt needs."""


@dataclass
class _Done:
    ranged: int = 0
    turns: int = 0


_DONE: ContextVar[_Done | None] = ContextVar("_DONE", default=None)
"""What the rendering under way has done; templates are compiled outside of one."""


class _Compiler(CodeGenerator):
    """Sends loops and concatenations through the environment, which counts them."""

    def visit_For(self, node: nodes.For, frame: Frame) -> None:
        node.iter = nodes.Call(nodes.EnvironmentAttribute("counted"), [node.iter], [], None, None)
        super().visit_For(node, frame)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:
        self.visit(nodes.Call(nodes.EnvironmentAttribute("joined"), node.nodes, [], None, None), frame)


class Sandbox(SandboxedEnvironment):
    """The templates of one language. Strict: an unknown variable is an error."""

    code_generator_class = _Compiler
    intercepted_binops = frozenset({"+", "*", "**"})

    def __init__(self, templates: Mapping[str, str]) -> None:
        super().__init__(
            loader=DictLoader(dict(templates)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            autoescape=False,
            auto_reload=False,
        )
        self.globals |= {"range": _range}
        del self.globals["lipsum"]  # random words, as many as one asks for
        self.filters |= {name: _narrow(self.filters[name]) for name in _TAKE_A_WIDTH}

    def blocks(self, name: str, context: Mapping[str, object], wanted: Iterable[str]) -> list[str]:
        """Render blocks of a template. Raises TooMuch, beside whatever a template may raise."""
        outer = _DONE.set(_Done())
        try:
            template = self.get_template(name)
            made = template.new_context({**self.globals, **context}, shared=True)
            return [_within(template.blocks[block](made)).strip() for block in wanted]
        finally:
            _DONE.reset(outer)

    def get_template(self, *args: Any, **kwargs: Any) -> Template:
        _turn()
        return super().get_template(*args, **kwargs)

    def select_template(self, *args: Any, **kwargs: Any) -> Template:
        _turn()
        return super().select_template(*args, **kwargs)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # pyright: ignore[reportSelfClsParameterName]
        _turn()
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        numbers = [value for value in (left, right) if isinstance(value, int)]
        if len(numbers) == 2 and operator != "+":
            bits = [number.bit_length() for number in numbers]
            if (bits[0] * right if operator == "**" else sum(bits)) > MOST_BITS:
                raise TooMuch(f"{operator} makes a number of more than {MOST_BITS} bits")
        elif numbers and operator == "*" and numbers[0] > 0:
            _measured(left if numbers[0] is right else right, numbers[0])
        return _measured(super().call_binop(context, operator, left, right))

    @staticmethod
    def counted(items: Iterable[object]) -> Iterator[object]:
        for item in items:
            _turn()
            yield item

    @staticmethod
    def joined(*parts: object) -> str:
        return cast("str", _measured("".join(map(str, parts))))


def _turn() -> None:
    done = _DONE.get()
    if done is not None:
        done.turns += 1
        if done.turns > MOST_TURNS:
            raise TooMuch(f"takes more than {MOST_TURNS:,} turns of loops, calls and parts: do its loops multiply?")


def _range(*args: int) -> range:
    made, done = range(*args), _DONE.get()
    if done is not None:
        done.ranged += len(made)
        if done.ranged > MOST_RANGE:
            raise TooMuch(f"its ranges have more than {MOST_RANGE:,} numbers in sum")
    return made


def _narrow(made: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(made)
    def narrow(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(value, int) and value > WIDEST for value in [*args, *kwargs.values()]):
            raise TooMuch(f"makes more than {WIDEST:,} of something")
        return made(*args, **kwargs)

    return narrow


def _measured(value: object, times: int = 1) -> object:
    if isinstance(value, str | list | tuple) and len(cast("str", value)) * times > LONGEST_TEXT:
        raise TooMuch(f"makes more than {LONGEST_TEXT:,} characters")
    return cast("object", value)


def _within(chunks: Iterable[str]) -> str:
    made: list[str] = []
    length = 0
    for chunk in chunks:
        length += len(chunk)
        if length > LONGEST_TEXT:
            raise TooMuch(f"makes more than {LONGEST_TEXT:,} characters")
        made.append(chunk)
    return "".join(made)
