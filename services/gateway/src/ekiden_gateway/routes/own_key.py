"""What somebody is told of the key he came with. For everybody; all other routes of keys are for operators."""

from fastapi import APIRouter

from ekiden_gateway.access import Asking, UsedParts
from ekiden_gateway.documented import documented
from ekiden_gateway.models.keys import OwnKey
from ekiden_gateway.views import keys as views

router = APIRouter(prefix=views.BASE, tags=["keys"])


@router.get("/self", operation_id="getOwnKey", response_model=OwnKey, responses=documented())
async def own(caller: Asking, parts: UsedParts) -> OwnKey:
    """Say who you are here: whose things you see, what your key may do, and your quota."""
    limits = await parts.callers.limits(caller.client)
    return views.own(caller, limits, is_open=await parts.callers.is_open())
