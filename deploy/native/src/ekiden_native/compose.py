"""`python -m ekiden_native.compose up …`: Docker Compose, with the native stack's rules for which providers are real.

The arguments are Docker's own. Before an `up` it is said aloud what costs money; after it, where everything answers.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from ekiden_native.errors import StackError
from ekiden_native.ports import LISTENERS, LOOPBACK
from ekiden_native.providers import Providers, choose_providers, forget_simulator

SIMULATOR_URL = "http://simulator:8090"
_GRAFANA_PORT = 3000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; 1 with a sentence where one provider has a key and the other none."""
    arguments = sys.argv[1:] if arguments is None else arguments
    starts = "up" in arguments[:1]
    environ = forget_simulator(os.environ)
    try:
        providers = choose_providers(environ, simulate=not starts)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    if starts:
        print(providers.announcement, flush=True)
    command = ("docker", "compose", *profile(providers), *arguments)
    code = subprocess.run(command, env={**environ, **variables(providers)}, check=False).returncode
    if starts and code == 0:
        print("\n".join(addresses(environ, providers)))
    return code


def variables(providers: Providers) -> dict[str, str]:
    """What docker-compose.yml is told: an empty key is none, whatever .env says."""
    if providers.openai is None and providers.perplexity is None:
        return {"OPENAI_API_KEY": "", "PERPLEXITY_API_KEY": ""}
    return providers.defaults | providers.environment(SIMULATOR_URL)


def profile(providers: Providers) -> tuple[str, ...]:
    """One real provider and one simulated: Compose sees two keys, and is asked for the simulator by its profile."""
    mixed = (providers.openai is None) != (providers.perplexity is None)
    return ("--profile", "simulator") if mixed else ()


def addresses(environ: Mapping[str, str], providers: Providers) -> list[str]:
    """Lines for a person: where the published ports are."""
    ports = {name: environ.get(listener.asked_by) or listener.usual for name, listener in LISTENERS.items()}
    gateway = f"http://{LOOPBACK}:{ports['gateway']}"
    return [
        f"Gateway    {gateway}",
        f"API        {gateway}/docs",
        *([f"Simulator  http://{LOOPBACK}:{ports['simulator']}"] if providers.simulator_needed else []),
        f"Prometheus http://{LOOPBACK}:{ports['prometheus']}",
        f"Grafana    http://{LOOPBACK}:{environ.get('EKIDEN_GRAFANA_PORT') or _GRAFANA_PORT}",
        f"RabbitMQ   amqp://guest:guest@{LOOPBACK}:{ports['rabbitmq']}/",
        f"MongoDB    mongodb://{LOOPBACK}:{ports['mongod']}/?directConnection=true",
    ]


if __name__ == "__main__":
    sys.exit(main())
