"""API keys: who may come in, and what for. Only hashes of the secrets are kept."""

import hashlib
import hmac
import re
import secrets
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from ekiden.store.api_keys import ACTIVE_KEYS

SHORTEST_SECRET = 16
EVERYBODY = "local"
"""The owner of all sessions while the gateway is open."""
SECRET_PREFIX = "ek_"  # noqa: S105 - not the secret: what tells people and scanners that one follows
_ALPHABET = string.ascii_letters + string.digits
_RANDOM_CHARACTERS = 43
"""Of 62 each: 256 bits. Neither `-` nor `_`, so that a double click takes the whole of it."""
_STORED_SECRET = re.compile(rf"{SECRET_PREFIX}[A-Za-z0-9]{{{_RANDOM_CHARACTERS}}}", re.ASCII)


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the environment: its client, which owns what it creates, its secret's SHA-256, and what it may do.

    A slow hash is not needed: the secrets are long and random, or refused. Guessing one takes as long with a quick
    hash as without any, and a slow one would cost every request what it costs a thief.
    """

    client: str
    digest: bytes
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of `EKIDEN_API_KEYS`: those a gateway begins with, and the way back in when all others are lost."""

    keys: Sequence[Key] = ()

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `id:secret[:scope,…]`, comma-separated; a key without scopes may do everything. Raises ValueError.

        A client may stand there twice, with two secrets, while it changes over from one to the other.
        """
        entries: list[str] = []
        for part in (part.strip() for part in text.split(",") if part.strip()):
            if ":" in part:
                entries.append(part)
            elif entries and entries[-1].count(":") == 2:
                entries[-1] += f",{part}"
            else:
                raise ValueError("a key is written id:secret[:scope,…]")
        keys = [_key(entry) for entry in entries]
        for client, count in Counter(key.client for key in keys).items():
            if count > ACTIVE_KEYS:
                raise ValueError(f"{client} has {count} keys, and may have {ACTIVE_KEYS}")
        if len({key.digest for key in keys}) < len(keys):
            raise ValueError("two keys have the same secret")
        return cls(tuple(keys))

    @property
    def is_open(self) -> bool:
        return not self.keys

    def find(self, secret: str) -> Key | None:
        """The key of a secret; the time it takes tells nothing of the secrets."""
        return self.of_digest(digest_of(secret))

    def of_digest(self, digest: bytes) -> Key | None:
        found = [key for key in self.keys if hmac.compare_digest(key.digest, digest)]
        return found[0] if found else None

    def of(self, client: str) -> list[Key]:
        return [key for key in self.keys if key.client == client]


def new_secret() -> str:
    """A secret that nobody has: `ek_` and 256 random bits."""
    return SECRET_PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))


def may_be_stored(secret: str) -> bool:
    """Whether it looks like one that `new_secret` made: with no other the database need be asked."""
    return _STORED_SECRET.fullmatch(secret) is not None


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


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
    return Key(name, digest_of(secret), scopes)
