"""What tests and people use and no provider has: bill, faults, statistics, reset, health."""

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field

from ekiden_simulator.faults import Fault
from ekiden_simulator.provider import Provider
from ekiden_simulator.world import World


class Reset(BaseModel):
    """What `POST /reset` may be told."""

    model_config = ConfigDict(extra="forbid")
    keep_bill: Annotated[bool, Field(alias="keepBill")] = False


def control_routes(world: World) -> APIRouter:
    """Return the routes over one world."""
    router = APIRouter()

    @router.get("/healthz")
    async def health() -> dict[str, object]:
        return {"status": "ok"}

    @router.get("/bill")
    async def bill() -> dict[str, object]:
        world.runs.settle()
        return world.bill.to_json()

    @router.get("/faults")
    async def show_faults() -> dict[str, object]:
        return {"faults": world.faults.to_json()}

    @router.post("/faults", status_code=201)
    async def add_faults(faults: Annotated[Fault | list[Fault], Body()]) -> dict[str, object]:
        added = world.faults.add(faults if isinstance(faults, list) else [faults])
        return {"faults": [armed.to_json() for armed in added]}

    @router.delete("/faults")
    async def clear_faults() -> dict[str, object]:
        world.faults.clear()
        return {"faults": []}

    @router.get("/stats")
    async def stats() -> dict[str, object]:
        in_flight = {Provider.OPENAI: world.chats_in_flight, Provider.PERPLEXITY: world.runs.settle()}
        counts: dict[str, object] = {
            provider.value: {
                "accepted": world.rates[provider].accepted,
                "refused": world.rates[provider].refused,
                "inFlight": in_flight[provider],
            }
            for provider in Provider
        }
        return {**counts, "faults": world.faults.struck()}

    @router.post("/reset")
    async def reset(wanted: Annotated[Reset | None, Body()] = None) -> dict[str, object]:
        world.reset(keep_bill=wanted is not None and wanted.keep_bill)
        return {"status": "ok"}

    return router
