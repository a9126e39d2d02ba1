"""Where webhooks may be sent: over https, by name, to the public Internet; and wherever the operator allows.

An address is looked at twice. `check` reads its text, when a person gives it and before each attempt. What its name
leads to is looked at by `transport`, which connects to the very addresses that `is_public` has passed.

Own code, because of what the libraries for this do: httpx-secure 2.0 finds the address by a connection to it, also to
a forbidden one, which tells whoever reads the delivery log which ports are open behind the firewall.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from ekiden.domain.told import told

LONGEST_URL = 2000
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LAST = r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_NAME = rf"({_LABEL}\.){{0,9}}{_LAST}"
_NUMBER = rf"({_OCTET}\.){{3}}{_OCTET}"
_HOST = rf"({_NAME}|{_NUMBER})"
_REST = r"(:[1-9][0-9]{0,3}|:[1-5][0-9]{4})?(/[!-~]*)?"
WRITTEN = rf"^https?://{_HOST}{_REST}$"
"""What can be an address at all: none with a user, a backslash, a dot at the end, other than ASCII, or in which a
number stands for an IP address in any other way than the usual four."""
PUBLIC = rf"^https://({_LABEL}\.){{1,9}}{_LAST}{_REST}$"
"""What anybody may give; the operator can allow more."""
_READ = re.compile(rf"(?P<scheme>https?)://(?P<host>{_HOST}){_REST}")
_WORD = re.compile(_NAME)
_INSIDE = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "home.arpa", "in-addr.arpa", "ip6.arpa")
"""Names that never lead to the Internet (RFC 6761, 6762, 8375; ICANN's `.internal`)."""

_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # Azure's own services behind every virtual machine
            *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48"),
        ),
    )
)
"""IANA's special-purpose registries. Teredo (in 2001::/23) and 6to4 (2002::/16) carry IPv4 addresses inside."""
_PUBLIC_IPV6 = IPv6Network("2000::/3")
"""All that is given out. Mapped, compatible and NAT64 forms of IPv4 addresses, and all local ones, are outside."""


class Forbidden(Exception):
    """An address that nothing is sent to. Its message is for the webhook's owner, and tells nothing of our network."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator allows besides: hosts by name, over http too and wherever they lead, and networks."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """Read names, addresses and networks, comma-separated. Raises ValueError naming what is none of them."""
        hosts: set[str] = set()
        networks: list[IPv4Network | IPv6Network] = []
        for word in (word.strip().lower() for word in text.split(",") if word.strip()):
            if _WORD.fullmatch(word):
                hosts.add(word)
                continue
            try:
                networks.append(ip_network(word))
            except ValueError:
                raise ValueError(f"{word} is no host name, address or network") from None
        return cls(frozenset(hosts), tuple(networks))

    def has_host(self, host: str) -> bool:
        """Whether a host is allowed as it is written in an address."""
        return host in self.hosts or (_is_number(host) and self.has_address(ip_address(host)))

    def has_address(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self.networks)


def check(url: str, allowed: Allowed) -> str:
    """Return the host of an address that a webhook may have, in lower case. Raises Forbidden with the reason."""
    found = _READ.fullmatch(url)
    if found is None or len(url) > LONGEST_URL:
        raise Forbidden(told("is no address of the form https://name/path"))
    host = found["host"].lower()
    if allowed.has_host(host):
        return host
    if found["scheme"] != "https":
        raise Forbidden(told("must begin with https://"))
    if _is_number(host):
        raise Forbidden(told("must name its host: numbers are not taken"))
    if "." not in host or host.endswith(tuple(f".{name}" for name in _INSIDE)):
        raise Forbidden(told("{host} is no name of the public Internet", host=host))
    return host


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is anybody's on the Internet; not asked of `ipaddress`, whose answers change with Python."""
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def _is_number(host: str) -> bool:
    return re.fullmatch(_NUMBER, host) is not None
