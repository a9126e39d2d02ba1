"""What the orchestrator reads from its environment."""

from typing import ClassVar

from ekiden.settings import ServiceSettings


class OrchestratorSettings(ServiceSettings):
    service: ClassVar[str] = "orchestrator"
