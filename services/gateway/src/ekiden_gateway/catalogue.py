"""The workflows a session can be created with: read from folders, checked before anything starts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ekiden.errors import Mistake, WorkflowInvalid
from ekiden.store.workflows import WorkflowStore
from ekiden.workflow.check import load
from ekiden.workflow.folder import folders_in
from ekiden.workflow.package import Package, Policies, Workflow

DEFAULT = "viral-content"


@dataclass(frozen=True)
class Catalogue:
    """The newest version of every workflow, by name; a session keeps the version it started with."""

    packages: Mapping[str, Package]
    workflows: Mapping[str, Workflow]

    @classmethod
    def read(cls, folders: Iterable[Path], policies: Policies) -> "Catalogue":
        """Read all workflows below some folders; of two with the same name the later one counts.

        Raises WorkflowInvalid with the mistakes of all of them.
        """
        packages: dict[str, Package] = {}
        mistakes: list[Mistake] = []
        for folder in (folder for parent in folders for folder in folders_in(parent)):
            try:
                package = load(folder)
                packages[package.definition.name] = package
            except WorkflowInvalid as error:
                mistakes += inside(folder, error.mistakes)
        if mistakes:
            raise WorkflowInvalid(mistakes)
        return cls(packages, {name: package.compile(policies) for name, package in packages.items()})

    async def save(self, store: WorkflowStore) -> None:
        """Store what the database does not have yet. Raises Unreachable."""
        for package in self.packages.values():
            await store.save(package)


def inside(folder: Path, mistakes: Iterable[Mistake]) -> list[Mistake]:
    """The mistakes of one workflow, with its folder in front: several have a `workflow.yaml`."""
    return [replace(wrong, file=f"{folder.name}/{wrong.file}") for wrong in mistakes]
