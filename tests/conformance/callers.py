"""Who asks: a tester who may do everything, and those who may not, or to whom what there is does not belong."""

from collections.abc import Mapping

TESTER, NEIGHBOUR, READER, WRITER, NOBODY = "tester", "neighbour", "reader", "writer", "nobody"
KEYS: Mapping[str, str] = {name: f"conformance-{name}-secret" for name in (TESTER, NEIGHBOUR, READER, WRITER, NOBODY)}
"""The secret each comes with. Nobody's is in no list."""
API_KEYS = (
    f"{TESTER}:{KEYS[TESTER]}, {NEIGHBOUR}:{KEYS[NEIGHBOUR]}:read,write, "
    f"half:{KEYS[READER]}:read, half:{KEYS[WRITER]}:write"
)
"""As `EKIDEN_API_KEYS` has them. The reader comes in to write and the writer to read."""

OWNED = frozenset({"sessionId", "scheduleId", "webhookId"})
"""Path parameters of what belongs to somebody: to anybody else it is as unknown as what never was."""
OPERATED = frozenset({"letterId", "keyId", "provider"})
"""Those of what concerns all owners, for which the neighbour has no scope."""
UNREAD = frozenset({413, 422})
"""A body that is too large, or is no JSON, is refused before anybody is asked who he is."""
REFUSALS: Mapping[str, frozenset[int]] = {
    NOBODY: frozenset({401}) | UNREAD,
    READER: frozenset({403}) | UNREAD,
    WRITER: frozenset({403}) | UNREAD,
    NEIGHBOUR: frozenset({403, 404}) | UNREAD,
}
"""What those who are turned away may be told. A 409 or a 412 would tell them that there is something."""

TURNS = 10
"""One in so many calls of an operation is each one's who is turned away; all others are the tester's."""


def turn(n: int, *, method: str, places: frozenset[str]) -> str:
    """Who makes the nth call of an operation that asks for a key: nobody the second, and so on."""
    asking = {1: NOBODY, 2: WRITER if method == "get" else READER}
    if places & (OWNED | OPERATED):
        asking[3] = NEIGHBOUR
    return asking.get(n % TURNS, TESTER)
