"""Once: what is asked for under an Idempotency-Key is created once, and found by whoever asks for it again."""

from typing import Protocol, TypeVar

from ekiden.store.sessions import Idempotency
from ekiden_gateway.kinds import KEY_REUSED, Kind
from ekiden_gateway.problems import Problem

T_co = TypeVar("T_co", covariant=True)


class Owned(Protocol):
    @property
    def id(self) -> str: ...

    @property
    def owner(self) -> str: ...


T = TypeVar("T", bound=Owned)


class Remembering(Protocol[T_co]):
    """A store that knows what was created under a key of an owner's. Raises Unreachable."""

    async def created_under(self, owner: str, key: str, /) -> tuple[T_co, Idempotency] | None: ...


class Keeping(Remembering[T], Protocol[T]):
    """One that takes new things. Each method may raise Unreachable."""

    async def create(self, new: T, known_as: Idempotency | None, /) -> bool: ...

    async def count(self, owner: str, /) -> int: ...


async def created_before(store: Remembering[T_co], owner: str, known_as: Idempotency | None) -> T_co | None:
    """What the same request created before. Raises Problem when its key belongs to another one."""
    found = await store.created_under(owner, known_as.key) if known_as is not None else None
    if known_as is None or found is None:
        return None
    created, its = found
    if its.fingerprint != known_as.fingerprint:
        name = getattr(created, "id", created)  # of a session there is only the id
        raise Problem(KEY_REUSED, f"This Idempotency-Key created {name} from another request.")
    return created


async def create(store: Keeping[T], new: T, known_as: Idempotency | None, *, most: int, full: Kind) -> T:
    """Store what is new, or find what the same request stored before.

    Raises Problem, the kind `full` when the owner has as many as he may.
    """
    if (found := await created_before(store, new.owner, known_as)) is not None:
        return found
    if await store.count(new.owner) >= most:
        raise Problem(full)
    if await store.create(new, known_as):
        return new
    if (found := await created_before(store, new.owner, known_as)) is None:
        raise RuntimeError(f"the id of the new {new.id} was taken")
    return found
