"""The network between the services of an arena and broker, database and providers: a proxy of our own for each."""

from collections.abc import Mapping

from ekiden_native.ports import free_port
from tests.chaos.proxy import LOOPBACK, Proxy

_ASKED_BY = {"broker": "EKIDEN_AMQP_PORT", "database": "EKIDEN_MONGODB_PORT", "providers": "EKIDEN_SIMULATOR_PORT"}


class Network:
    """`env` gives the servers their ports, `variables` sends the services to the proxies instead."""

    def __init__(self) -> None:
        used: set[int] = set()
        upstream = {server: free_port(used) for server in _ASKED_BY}
        self._listening = {server: free_port(used) for server in _ASKED_BY}
        self.to = {server: Proxy(port) for server, port in upstream.items()}
        self.env = {_ASKED_BY[server]: str(port) for server, port in upstream.items()}

    @property
    def variables(self) -> Mapping[str, str]:
        provider = f"http://{LOOPBACK}:{self._listening['providers']}"
        return {
            "EKIDEN_AMQP_URL": f"amqp://guest:guest@{LOOPBACK}:{self._listening['broker']}/",
            # Asked for its replica set, mongod would name its own port, and the driver would go round the proxy.
            "EKIDEN_MONGODB_URL": f"mongodb://{LOOPBACK}:{self._listening['database']}/?directConnection=true",
            "OPENAI_BASE_URL": f"{provider}/v1",
            "PERPLEXITY_BASE_URL": provider,
        }

    async def up(self) -> None:
        for server, proxy in self.to.items():
            await proxy.listen(self._listening[server])

    async def down(self) -> None:
        for proxy in self.to.values():
            await proxy.close()
