"""API keys: who may come in, and what for. Only hashes of the secrets are kept."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

SHORTEST_SECRET = 16
EVERYBODY = "local"
"""The owner of all sessions while the gateway is open."""


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """A key's id, which names the owner of what it creates, its secret's SHA-256, and what it may do.

    A slow hash is not needed: the secrets are long and random, or refused.
    """

    id: str
    digest: bytes
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Keyring:
    keys: Sequence[Key] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `id:secret[:scope,…]`, comma-separated; a key without scopes may do everything. Raises ValueError."""
        entries: list[str] = []
        for part in (part.strip() for part in text.split(",") if part.strip()):
            if ":" in part:
                entries.append(part)
            elif entries and entries[-1].count(":") == 2:
                entries[-1] += f",{part}"
            else:
                raise ValueError("a key is written id:secret[:scope,…]")
        keys = [_key(entry) for entry in entries]
        if len({key.id for key in keys}) < len(keys):
            raise ValueError("two keys have the same id")
        return cls(tuple(keys))

    @property
    def is_open(self) -> bool:
        return not self.keys

    def find(self, secret: str) -> Key | None:
        """The key of a secret; the time it takes tells nothing of the secrets."""
        digest = _digest(secret)
        found = [key for key in self.keys if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None


def _key(entry: str) -> Key:
    name, secret, *rest = entry.split(":", 2)
    if not name:
        raise ValueError("a key has no id")
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(f"the secret of {name} is shorter than {SHORTEST_SECRET} characters")
    try:
        scopes = frozenset(Scope(scope.strip()) for scope in rest[0].split(",")) if rest else frozenset(Scope)
    except ValueError:
        raise ValueError(f"the scopes of {name} are not of {', '.join(Scope)}") from None
    return Key(name, _digest(secret), scopes)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
