"""A prompt is spared what it cannot read, and never what it can."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ekiden.workflow.package import read_package
from ekiden.workflow.prompts import environment
from ekiden.workflow.reads import Reads
from ekiden.workflow.rehearsal import plain_context, sample_request

ROOT = Path(__file__).parents[3]
PARTS = {
    "part": "{{ look.execute.searches }}",
    "macro": "{% macro told() %}{{ look.execute.missing }}{% endmacro %}",
    "outer": "{% block user %}{% endblock %}{% include 'part' %}",
    "broken": "{{ look.",
}
READING = [
    "{{ look.execute }}",
    "{{ look.execute.searches | length }}",
    "{{ look['execute'] }}",
    "{{ look[name] }}",
    "{{ look }}",
    "{{ look | tojson }}",
    "{{ look.items() | list }}",
    "{{ look.get('execute') }}",
    "{{ look.pop('execute') }}",
    "{% for key in look %}{{ key }}{% endfor %}",
    "{{ 'execute' in look }}",
    "{% set same = look %}{{ same.execute }}",
    "{% with same = look %}{{ same.execute }}{% endwith %}",
    "{{ (look if true else tell).execute }}",
    "{{ [look] | map(attribute='execute') | list }}",
    "{% if look.execute is defined %}there{% endif %}",
    "{% include 'part' %}",
    "{% include name %}",
    "{% include ['none', 'part'] ignore missing %}",
    "{% from 'macro' import told with context %}{{ told() }}",
    "{% import 'macro' as said with context %}{{ said.told() }}",
    "{% macro mine(of) %}{{ of.execute }}{% endmacro %}{{ mine(look) }}",
    "{% call(of) caller_of() %}{{ look.execute }}{% endcall %}",
]
NOT_READING = ["{{ look.think.note }}", "{{ look.integrate }}", "{{ tell.execute }}", "plain {{ name }}", "{# look #}"]
AROUND = [
    "%s",
    "{% if name %}%s{% endif %}",
    "{% for n in [1, 2] %}%s{% endfor %}",
    "{% filter upper %}%s{% endfilter %}",
]
LOOK = {"think": {"note": "a"}, "execute": {"searches": ["found"], "missing": ["lost"]}, "integrate": ["b"]}
CONTEXT = {"name": "part", "look": LOOK, "tell": {"execute": "c"}}


def may_read(text: str) -> bool:
    templates = PARTS | {"prompt": text}
    return Reads(environment(templates), templates).may_read("prompt", "look", "execute")


def rendered(text: str, look: Mapping[str, object]) -> str:
    made = environment(PARTS | {"prompt": f"{{% block user %}}{text}{{% endblock %}}"})
    try:
        return str(made.blocks("prompt", CONTEXT | {"look": dict(look)}, ["user"]))
    except Exception as error:  # a prompt may do anything, and fails as it did
        return repr(error)


@pytest.mark.parametrize("text", READING)
def test_a_part_is_read_however_a_template_comes_to_it(text: str) -> None:
    assert may_read(text)


@pytest.mark.parametrize("text", NOT_READING)
def test_what_a_template_does_not_name_it_does_not_read(text: str) -> None:
    assert not may_read(text)


@pytest.mark.parametrize(
    "text", ["{% include 'broken' %}", "{{ look.", "{% include 'nowhere' %}", "{% extends 'outer' %}"]
)
def test_what_cannot_be_told_counts_as_read(text: str) -> None:
    assert may_read(text)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(AROUND), st.sampled_from(READING + NOT_READING * 4)), min_size=1, max_size=3))
def test_without_what_it_cannot_read_a_prompt_is_the_same(said: list[tuple[str, str]]) -> None:
    text = "".join(around.replace("%s", inner) for around, inner in said)
    if not may_read(text):
        assert rendered(text, {key: value for key, value in LOOK.items() if key != "execute"}) == rendered(text, LOOK)


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "workflows").iterdir()))
def test_a_shipped_prompt_is_what_the_whole_context_makes_it(folder: str) -> None:
    package = read_package(ROOT / "workflows" / folder)
    for language, templates in package.templates.items():
        for position in package.definition.positions():
            whole = plain_context(package, position, language)
            template = f"{package.definition.step(position).prompt}.md.j2"
            request = sample_request(package, position, language)
            parts = environment(templates).blocks(template, whole, ("system", "user"))
            assert [request["system"], request["user"]] == parts
