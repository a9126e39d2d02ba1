"""Links that let somebody without a key answer one gate: signed, so that nothing has to be stored for them.

A link names the session, which gate it is that the session came to, and since when. Whatever ends the wait there ends
the link: it cannot answer the next gate, nor the same one when it is reached again, nor one of a restored database.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from itsdangerous import BadData, URLSafeSerializer

from ekiden.domain.ids import SessionId
from ekiden.domain.session import Session
from ekiden.store.secrets import SecretStore
from ekiden_gateway.kinds import UNKNOWN_LINK
from ekiden_gateway.problems import Problem

PURPOSE = "gate-links"
LOOK = "glk_"
"""How every token begins: `ekiden.masking` knows it by that."""
LONGEST_TOKEN = 400
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Link:
    """The `number`-th gate that a session came to, in the milliseconds `since` 1970 when it did, and until when."""

    session_id: SessionId
    number: int
    since: int
    expires_at: datetime

    def is_about(self, session: Session) -> bool:
        """Whether a session still stands where it stood when the link was made."""
        gate = session.gate
        return gate is not None and (session.gates_reached, _milliseconds(gate.since)) == (self.number, self.since)


class GateLinks:
    def __init__(self, secrets: SecretStore) -> None:
        self._secrets = secrets

    async def sign(self, session: Session, expires_at: datetime) -> str:
        """The token of a link to the gate that a session stands at. Raises ValueError at none, and Unreachable."""
        if session.gate is None:
            raise ValueError(f"{session.id} stands at no gate")
        hexadecimal = session.id.removeprefix("ses_")
        about = [hexadecimal, session.gates_reached, _milliseconds(session.gate.since), _milliseconds(expires_at)]
        return LOOK + str((await self._serializer()).dumps(about))

    async def read(self, token: str) -> Link:
        """What a token is about, whether or not that still is so. Raises Problem for one of others; Unreachable."""
        try:
            found = (await self._serializer()).loads(token.removeprefix(LOOK))
        except BadData as error:
            raise Problem(UNKNOWN_LINK, "This link was not made by us, or a part of it is missing.") from error
        hexadecimal, number, since, expires = cast("tuple[str, int, int, int]", found)
        return Link(SessionId(f"ses_{hexadecimal}"), number, since, _EPOCH + expires * _MILLISECOND)

    async def _serializer(self) -> URLSafeSerializer:
        how = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeSerializer(await self._secrets.get(PURPOSE), salt=f"ekiden.{PURPOSE}", signer_kwargs=how)


def _milliseconds(moment: datetime) -> int:
    """As the database keeps a time."""
    return (moment - _EPOCH) // _MILLISECOND
