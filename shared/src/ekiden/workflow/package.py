"""A workflow's folder as one value: read from disk, kept in the database under its content's hash, compiled."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import yaml
from pydantic import ValidationError

from ekiden.domain.plan import Plan, Provider
from ekiden.errors import Mistake, WorkflowInvalid
from ekiden.retry import UnknownOutcome
from ekiden.workflow.definition import Definition
from ekiden.workflow.prompts import Prompts

Policies = Mapping[Provider, UnknownOutcome]


@dataclass(frozen=True)
class Package:
    """What a workflow's folder holds: its definition, its templates by language and name, its schemas by name."""

    document: Mapping[str, object]
    templates: Mapping[str, Mapping[str, str]]
    schemas: Mapping[str, Mapping[str, object]]

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
            wrong = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
            raise WorkflowInvalid([Mistake("workflow.yaml", None, what) for what in wrong]) from error

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
    mistakes: list[Mistake] = []
    document = _document(folder / "workflow.yaml", mistakes)
    templates = {
        language.name: {path.name: path.read_text("utf-8") for path in sorted(language.glob("*.md.j2"))}
        for language in sorted((folder / "prompts").glob("*"))
        if language.is_dir()
    }
    schemas: dict[str, Mapping[str, object]] = {}
    for path in sorted((folder / "schemas").glob("*.json")):
        try:
            schemas[path.stem] = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            line = error.lineno if isinstance(error, json.JSONDecodeError) else None
            mistakes.append(Mistake(f"schemas/{path.name}", line, f"is no JSON: {error}"))
    if mistakes:
        raise WorkflowInvalid(mistakes)
    return Package(document, templates, schemas)


def _document(path: Path, mistakes: list[Mistake]) -> Mapping[str, object]:
    try:
        read = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        mistakes.append(Mistake(path.name, None, f"cannot be read: {error.strerror}"))
        return {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        mistakes.append(Mistake(path.name, mark.line + 1 if mark else None, f"is no YAML: {error}"))
        return {}
    if not isinstance(read, dict):
        mistakes.append(Mistake(path.name, 1, "is not a mapping"))
        return {}
    return cast("Mapping[str, object]", read)
