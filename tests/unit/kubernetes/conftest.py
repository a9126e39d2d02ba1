"""What several test modules of this folder ask for."""

from itertools import product

import pytest

from tests.unit.kubernetes.manifests import BASE, LOCAL, PRODUCTION, SERVICES, Manifest, named

PLACES = [*product((BASE, LOCAL, PRODUCTION), SERVICES), (LOCAL, "simulator")]


@pytest.fixture(params=PLACES, ids=["/".join(place) for place in PLACES])
def workload(request: pytest.FixtureRequest) -> Manifest:
    """The Deployment of each service, in each folder that has it."""
    folder, name = request.param
    return named("Deployment", name, folder)
