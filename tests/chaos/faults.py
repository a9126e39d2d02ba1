"""The faults that strike processes, the network and the providers, as small objects. Each says how often it struck."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ekiden_native.errors import NotRunning
from tests.chaos.arena import Arena
from tests.chaos.oracle import Row
from tests.chaos.proxy import Proxy, Toxic

SERVERS = ("rabbitmq", "mongod")


@dataclass(frozen=True)
class Kill:
    """SIGKILL of a process; it strikes nothing while the process is being started again."""

    service: str

    @property
    def kind(self) -> str:
        return f"SIGKILL of {self.service}"

    @property
    def counts_cuts(self) -> bool:
        return False

    async def strike(self, arena: Arena) -> int:
        try:
            await asyncio.to_thread(arena.stack.kill, self.service)
        except (NotRunning, ProcessLookupError):
            return 0
        return 1


@dataclass(frozen=True)
class Sleep:
    """SIGSTOP, and SIGCONT so many seconds later. Whoever looks at it from outside sees a machine that stands still."""

    service: str
    seconds: float

    @property
    def kind(self) -> str:
        return f"SIGSTOP of {self.service}"

    @property
    def counts_cuts(self) -> bool:
        return False

    async def strike(self, arena: Arena) -> int:
        try:
            pid = await asyncio.to_thread(arena.stack.kill, self.service, 1, signal.SIGSTOP)
        except NotRunning:
            return 0
        await asyncio.sleep(self.seconds)
        resumed = await asyncio.to_thread(arena.stack.kill, self.service, 1, signal.SIGCONT)
        return int(pid == resumed)


@dataclass(frozen=True)
class Outage:
    """A server is stopped in order and stays down for so many seconds."""

    server: str
    seconds: float

    @property
    def kind(self) -> str:
        return f"{self.seconds:.0f} s without {self.server}"

    @property
    def counts_cuts(self) -> bool:
        return False

    async def strike(self, arena: Arena) -> int:
        await asyncio.to_thread(arena.stack.stop_service, self.server)
        await asyncio.sleep(self.seconds)
        await asyncio.to_thread(arena.stack.start_service, self.server)
        return 1


@dataclass(frozen=True)
class Poisoned:
    """A toxic lies on a proxy for so many seconds; it strikes once for each connection that it touched."""

    where: str
    proxy: Proxy
    toxic: Toxic
    seconds: float

    @property
    def kind(self) -> str:
        return f"{self.toxic.name} to {self.where}"

    @property
    def counts_cuts(self) -> bool:
        return False

    async def strike(self, arena: Arena) -> int:
        self.proxy.poison(self.toxic)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            touched = self.proxy.heal()
        return touched


@dataclass(frozen=True)
class Script:
    """Provider faults that the simulator deals out until `seconds` are over, or until their `times` are used up."""

    name: str
    faults: Sequence[Row]
    seconds: float

    @property
    def kind(self) -> str:
        return self.name

    @property
    def counts_cuts(self) -> bool:
        return True

    async def strike(self, arena: Arena) -> int:
        before = await _struck_openai(arena)
        (await arena.simulator.post("/faults", json=list(self.faults))).raise_for_status()
        await asyncio.sleep(self.seconds)
        scripted: list[Row] = (await arena.simulator.get("/faults")).json()["faults"]
        await arena.simulator.delete("/faults")
        kinds = {fault["kind"] for fault in self.faults if _loses_a_paid_reply(fault)}
        struck = await _struck_openai(arena) - before
        arena.at_risk.cuts += sum(struck[kind] for kind in kinds)
        return sum(fault["hits"] for fault in scripted)


async def _struck_openai(arena: Arena) -> Counter[str]:
    return Counter((await arena.simulator.get("/stats")).json()["faults"]["openai"])


def _loses_a_paid_reply(fault: Row) -> bool:
    return fault["kind"] == "accept_then_cut" or fault.get("accepted") is True or fault.get("where") == "body"
