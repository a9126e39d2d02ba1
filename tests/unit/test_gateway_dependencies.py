"""What a request passes on its way to its route costs it no thread."""

from inspect import isasyncgenfunction, iscoroutinefunction

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from ekiden_gateway.app import ROUTES


def calls(dependant: Dependant) -> set[object]:
    """The route's function, and all that it depends on; an object is called by its class's `__call__`."""
    call = dependant.call
    own = call if hasattr(call, "__code__") else type(call).__call__
    return {own}.union(*map(calls, dependant.dependencies))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{'-'.join(sorted(route.methods))} {route.path}")
def test_a_route_and_all_that_it_depends_on_run_in_the_event_loop(route: APIRoute) -> None:
    in_a_thread = {
        call for call in calls(route.dependant) if not (iscoroutinefunction(call) or isasyncgenfunction(call))
    }
    assert in_a_thread == set()
