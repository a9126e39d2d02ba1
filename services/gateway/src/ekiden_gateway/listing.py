"""Lists: the filters of sessions, and the cursor, which is opaque outside and names the last item shown."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ekiden.domain.session import Session, Status
from ekiden_gateway.problems import invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"^(\d{1,15})\|((?:ses|dl)_[0-9a-f]{32})$", re.ASCII)
_METADATA = re.compile(r"^([A-Za-z0-9_-]{1,64})[:=](.{0,500})$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions: each filter that is given must hold."""

    owner: str
    status: Sequence[Status] = ()
    workflow: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    metadata: Sequence[str] = ()

    def filters(self) -> Mapping[str, object]:
        """As the session store takes them. Raises Problem for a metadata filter that is none."""
        found: dict[str, object] = {"owner": self.owner}
        if self.status:
            found["status"] = {"$in": [status.value for status in self.status]}
        if self.workflow:
            found["workflow"] = {"$regex": f"^{re.escape(self.workflow)}(@|$)"}
        span = {"$gte": self.created_after, "$lt": self.created_before}
        if bounds := {name: moment for name, moment in span.items() if moment is not None}:
            found["createdAt"] = bounds
        for index, text in enumerate(self.metadata):
            matched = _METADATA.match(text)
            if matched is None:
                raise invalid(f"metadata.{index}", "is written key:value")
            found[f"metadata.{matched[1]}"] = matched[2]
        return found


def cursor(session: Session) -> str:
    return cursor_at(session.created_at, session.id)


def cursor_at(moment: datetime, last: str) -> str:
    """The place behind the item `last`, in a list that is sorted by a time and then by id."""
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    return base64.urlsafe_b64encode(f"{milliseconds}|{last}".encode()).decode().rstrip("=")


def read_cursor(text: str | None) -> tuple[datetime, str] | None:
    if text is None:
        return None
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    found = _CURSOR.match(decoded)
    if found is None:
        raise invalid("cursor", "is none that a list answered")
    return _EPOCH + timedelta(milliseconds=int(found[1])), found[2]
