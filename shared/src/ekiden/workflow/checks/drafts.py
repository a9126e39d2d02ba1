"""The drafts mapping: each field leads to a list of an answer, whose rows are joined by an integer."""

from collections.abc import Collection, Iterator, Mapping
from typing import cast

from ekiden.domain.ids import Position
from ekiden.errors import Mistake
from ekiden.workflow.checks.places import step_names, wrong
from ekiden.workflow.checks.schemas import list_fields, schema_file
from ekiden.workflow.definition import Definition
from ekiden.workflow.form import did_you_mean
from ekiden.workflow.package import Package


def check_drafts(definition: Definition, package: Package, unsound: Collection[str]) -> Iterator[Mistake]:
    """`unsound` are files with mistakes of their own: what rests on them is not looked at."""
    bad_keys: set[str] = set()
    for name, path in definition.drafts.fields.items():
        place = ("drafts", "fields", name)
        list_path, _, field = path.rpartition(".")
        step_path, _, list_name = list_path.rpartition(".")
        try:
            step = definition.step(Position.parse(definition.step_key(step_path)))
        except (KeyError, ValueError):
            near = did_you_mean(step_path, step_names(definition)) or "a path is <phase>.<step>.<list>.<field>"
            yield wrong(package, place, f"drafts.fields.{name}: there is no step {step_path!r} with a schema", near)
            continue
        if step.schema_name is not None and (
            step.schema_name not in package.schemas or schema_file(step.schema_name) in unsound
        ):
            continue  # said where that step or its schema is checked
        lists = list_fields(package.schemas.get(step.schema_name or "", {}))
        if list_name not in lists:
            near = did_you_mean(list_name, lists) or f"lists: {', '.join(lists) or 'none'}"
            yield wrong(package, place, f"drafts.fields.{name}: {step_path} has no list {list_name!r}", near)
            continue
        fields = cast("Mapping[str, Mapping[str, object]]", lists[list_name].get("properties", {}))
        if field not in fields:
            what = f"drafts.fields.{name}: {list_path} has no field {field!r}"
            yield wrong(package, place, what, did_you_mean(field, fields) or f"fields: {', '.join(fields)}")
        if list_path not in bad_keys:
            yield from (found for found in _key(definition, package, list_path, fields) if not bad_keys.add(list_path))


def _key(
    definition: Definition, package: Package, list_path: str, fields: Mapping[str, Mapping[str, object]]
) -> Iterator[Mistake]:
    key, place = definition.drafts.key, ("drafts", "key")
    if key not in fields:
        numbers = [name for name, field in fields.items() if field.get("type") == "integer"]
        near = did_you_mean(key, fields) or f"integers: {', '.join(numbers) or 'none'}"
        yield wrong(package, place, f"drafts.key: {list_path} has no field {key!r}", near)
    elif fields[key].get("type") != "integer":
        yield wrong(package, place, f"drafts.key: {list_path}.{key} is no integer, and drafts are joined by number")
