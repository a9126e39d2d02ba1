"""Who reaches whom under a set of NetworkPolicies: the rules of networking.k8s.io/v1, as far as we use them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from tests.unit.kubernetes.manifests import Manifest, selects


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod with labels in a namespace, or an address outside of the cluster."""

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    namespace_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    address: str = ""
    ports: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True)
class Policies:
    """All NetworkPolicies of a cluster. A pod that none of them selects may do as it likes."""

    policies: tuple[Manifest, ...]

    def allow(self, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
        """Whether both ends let a connection through: the one it leaves and the one it reaches."""
        out = self._one_way("Egress", source, target, target, port, protocol)
        return out and self._one_way("Ingress", target, source, target, port, protocol)

    def _one_way(self, way: str, owner: End, other: End, target: End, port: int, protocol: str) -> bool:
        own = [one["spec"] for one in self.policies if one["metadata"]["namespace"] == owner.namespace]
        own = [one for one in own if way in one["policyTypes"] and selects(one["podSelector"], owner.labels)]
        key, ends = ("egress", "to") if way == "Egress" else ("ingress", "from")
        rules = [rule for one in own for rule in one.get(key, [])]
        return not own or any(
            _among(rule.get(ends), owner, other) and _open(rule.get("ports"), target, port, protocol) for rule in rules
        )


def _among(ends: Iterable[Manifest] | None, owner: End, other: End) -> bool:
    return ends is None or any(_is(end, owner, other) for end in ends)


def _is(end: Manifest, owner: End, other: End) -> bool:
    if block := end.get("ipBlock"):
        return bool(other.address) and _inside(other.address, block)
    if not other.namespace:
        return False
    if "namespaceSelector" in end:
        there = selects(end["namespaceSelector"], other.namespace_labels)
    else:
        there = other.namespace == owner.namespace
    return there and selects(end.get("podSelector", {}), other.labels)


def _inside(address: str, block: Manifest) -> bool:
    found = ip_address(address)
    within = [found in ip_network(one) for one in [block["cidr"], *block.get("except", [])]]
    return within[0] and not any(within[1:])


def _open(ports: Iterable[Manifest] | None, target: End, port: int, protocol: str) -> bool:
    """A port may be a number or, as the target's pod calls it, a name."""
    return ports is None or any(
        one["protocol"] == protocol and target.ports.get(str(one["port"]), one["port"]) == port for one in ports
    )
