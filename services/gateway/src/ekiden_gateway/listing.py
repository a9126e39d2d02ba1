"""Lists: the filters of sessions, and the cursor, which is opaque outside and names the last item shown."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, StringConstraints

from ekiden.domain.session import Session, Status
from ekiden_gateway.problems import invalid

Limit = Annotated[int, Query(ge=1, le=100, description="At most so many items")]
LONGEST_CURSOR = 200


def cursor_parameter(form: str) -> object:
    """The parameter of a list; the name of its form tells clients that a cursor is not to be made up."""
    says = "A page's `nextCursor`: what follows that page"
    return Query(alias="cursor", max_length=LONGEST_CURSOR, description=says, json_schema_extra={"format": form})


MetadataFilter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}[:=][\s\S]{0,500}$")]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def _as_text(moment: object) -> object:
    """Refuse the numbers that pydantic would take for seconds since 1970."""
    if not isinstance(moment, str) or "T" not in moment.upper():
        raise ValueError("must be written as RFC 3339 has it, e.g. 2026-11-22T09:30:00Z")
    return moment


def _of_this_age(moment: datetime) -> datetime:
    """Nothing is older or newer, and further out a time zone's offset leaves the calendar."""
    return _EPOCH if moment.year <= _EPOCH.year else min(moment, _LATEST)


Moment = Annotated[AwareDatetime, BeforeValidator(_as_text), AfterValidator(_of_this_age)]
_CURSOR = re.compile(r"([0-9]{1,13})\|(([a-z]+)_[0-9a-f]{32})")
_METADATA = re.compile(r"([A-Za-z0-9_-]{1,64})[:=](.*)", re.DOTALL)


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
            found["workflow"] = _of_workflow(self.workflow)
        span = {"$gte": self.created_after, "$lt": self.created_before}
        if bounds := {name: moment for name, moment in span.items() if moment is not None}:
            found["createdAt"] = bounds
        if wanted := [_of_metadata(index, text) for index, text in enumerate(self.metadata)]:
            found["$and"] = wanted
        return found


def _of_metadata(index: int, text: str) -> Mapping[str, str]:
    pair = _METADATA.fullmatch(text)
    if pair is None:
        raise invalid(f"metadata.{index}", "is written key:value")
    return {f"metadata.{pair[1]}": pair[2]}


def _of_workflow(name: str) -> object:
    """A version's id is a name and a hash, as `small@0123456789abcdef`."""
    return name if "@" in name else {"$gte": f"{name}@", "$lt": f"{name}A"}  # A follows @


def cursor(session: Session) -> str:
    return cursor_at(session.created_at, session.id)


def cursor_at(moment: datetime, last: str) -> str:
    """The place behind the item `last`, in a list that is sorted by a time and then by id."""
    milliseconds = (moment - _EPOCH) // timedelta(milliseconds=1)
    return base64.urlsafe_b64encode(f"{milliseconds}|{last}".encode()).decode().rstrip("=")


def read_cursor(text: str | None, kind: str = "ses") -> tuple[datetime, str] | None:
    """The place that a cursor names, in a list of what has ids of that beginning. Raises Problem."""
    if text is None:
        return None
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    found = _CURSOR.fullmatch(decoded)
    if found is None or found[3] != kind:
        raise invalid("cursor", "is none that a list answered")
    return _EPOCH + timedelta(milliseconds=int(found[1])), found[2]
