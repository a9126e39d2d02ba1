"""How hard the property tests search. `EKIDEN_HYPOTHESIS=thorough` searches twenty times as long.

No deadline, because two cores are shared; no example database, so a failure prints the seed that repeats it.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "usual",
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    database=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.register_profile("thorough", settings.get_profile("usual"), max_examples=4_000)
settings.load_profile(os.environ.get("EKIDEN_HYPOTHESIS", "usual"))
