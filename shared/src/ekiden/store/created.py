"""What a request under an idempotency key created: the key stands in the same write as what it created."""

from ekiden.store.database import Collection, Document, away
from ekiden.store.sessions import Idempotency


def noted(known_as: Idempotency | None) -> Document:
    """What a document that is created says of its request."""
    return {"idempotency": {"key": known_as.key, "fingerprint": known_as.fingerprint}} if known_as else {}


async def created_under(collection: Collection, owner: Document, key: str) -> tuple[Document, Idempotency] | None:
    """What an owner's request of this key created, and the request. Raises Unreachable."""
    query = owner | {"idempotency.key": {"$eq": key, "$type": "string"}}  # as the partial indexes have it
    with away():
        found = await collection.find_one(query)
    return (found, Idempotency(**found["idempotency"])) if found else None
