"""A workflow's folder as one value: read from disk, kept in the database under its content's hash, compiled."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from ekiden.domain.plan import Plan, Provider
from ekiden.errors import Mistake, WorkflowInvalid
from ekiden.retry import UnknownOutcome
from ekiden.workflow.definition import Definition
from ekiden.workflow.folder import read_files
from ekiden.workflow.form import form_mistakes
from ekiden.workflow.lines import Parsed, Place, parse_json, parse_yaml
from ekiden.workflow.prompts import Prompts
from ekiden.workflow.unforeseen import unforeseen

Policies = Mapping[Provider, UnknownOutcome]


@dataclass(frozen=True)
class Package:
    """What a workflow's folder holds: its definition, its templates by language and name, its schemas by name.

    `lines` knows where things are in each file; a package from the database has none.
    """

    document: Mapping[str, object]
    templates: Mapping[str, Mapping[str, str]]
    schemas: Mapping[str, Mapping[str, object]]
    lines: Mapping[str, Mapping[Place, int]] = field(default_factory=dict[str, Mapping[Place, int]], compare=False)

    @cached_property
    def id(self) -> str:
        """`<name>@<hash>`: a session keeps the version it started with under this name."""
        content = json.dumps([self.document, self.templates, self.schemas], sort_keys=True, ensure_ascii=False)
        return f"{self.document['name']}@{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    @cached_property
    def definition(self) -> Definition:
        """Raises WorkflowInvalid with all that is wrong with the document's form."""
        try:
            return Definition.model_validate(self.document)
        except ValidationError as error:
            lines = self.lines.get("workflow.yaml", {})
            raise WorkflowInvalid(form_mistakes(Definition, error, lines)) from error

    def compile(self, policies: Policies) -> "Workflow":
        plan = self.definition.plan(policies)
        return Workflow(self.id, self.definition, plan, Prompts(self.definition, plan, self.templates, self.schemas))

    def to_document(self) -> dict[str, object]:
        parts = {"document": self.document, "templates": self.templates, "schemas": self.schemas}
        return {"_id": self.id, "name": self.document["name"], "package": json.dumps(parts, ensure_ascii=False)}

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> "Package":
        return cls(**json.loads(cast("str", document["package"])))


@dataclass(frozen=True)
class Workflow:
    """A workflow ready to run: what the decision needs (`plan`) and what its requests are made from (`prompts`)."""

    id: str
    definition: Definition
    plan: Plan
    prompts: Prompts


def read_package(folder: Path) -> Package:
    """Read a workflow's folder. Raises WorkflowInvalid with every file that cannot be read."""
    package, mistakes = read_folder(folder)
    if mistakes:
        raise WorkflowInvalid(mistakes)
    return package


def read_folder(folder: Path) -> tuple[Package, list[Mistake]]:
    """What can be read of a workflow's folder, and what cannot. Never raises."""
    files = read_files(folder)
    document: Mapping[str, object] = {}
    templates: dict[str, dict[str, str]] = {}
    schemas: dict[str, Mapping[str, object]] = {}
    lines: dict[str, Mapping[Place, int]] = {}
    for name, text in sorted(files.texts.items()):
        if name.endswith(".md.j2"):
            _, language, template = name.split("/")
            templates.setdefault(language, {})[template] = text
            continue
        try:
            parsed = parse_yaml(text) if name == "workflow.yaml" else parse_json(text)
        except Exception as error:
            files.mistakes.append(unforeseen(name, error))
            continue
        files.mistakes += _wrong(name, parsed)
        lines[name] = parsed.lines
        if parsed.wrong:
            continue
        if name == "workflow.yaml":
            document = cast("Mapping[str, object]", parsed.value)
        else:
            schemas[name.removeprefix("schemas/").removesuffix(".json")] = cast("Mapping[str, object]", parsed.value)
    return Package(document, templates, schemas, lines), files.mistakes


def _wrong(name: str, parsed: Parsed) -> list[Mistake]:
    if not parsed.wrong and name == "workflow.yaml" and not isinstance(parsed.value, dict):
        parsed.add(1, "is not a mapping")
    return [Mistake(name, line, what, near) for line, what, near in parsed.wrong]
