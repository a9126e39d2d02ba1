"""The workflows' versions, each stored once by its content's hash; a session names the one it started with."""

from pymongo.errors import DuplicateKeyError

from ekiden.store.database import Database, away
from ekiden.workflow.package import Package, Policies, Workflow


class WorkflowStore:
    """Implements `relay.Workflows`; a compiled version never changes, so it is kept for the process's life."""

    def __init__(self, database: Database, policies: Policies) -> None:
        self._workflows = database.journaled("workflows")
        self._policies = policies
        self._compiled: dict[str, Workflow] = {}

    async def save(self, package: Package) -> Workflow:
        if package.id not in self._compiled:
            try:
                with away():
                    await self._workflows.insert_one(package.to_document())
            except DuplicateKeyError:
                pass  # the same content has the same id
            self._compiled[package.id] = package.compile(self._policies)
        return self._compiled[package.id]

    async def compiled(self, workflow_id: str) -> Workflow:
        if workflow_id not in self._compiled:
            with away():
                found = await self._workflows.find_one({"_id": workflow_id})
            if found is None:
                raise KeyError(workflow_id)
            self._compiled[workflow_id] = Package.from_document(found).compile(self._policies)
        return self._compiled[workflow_id]
