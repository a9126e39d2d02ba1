"""The list of sessions: filters, how many there are of each status, and one line each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from starlette.responses import Response

from ekiden.domain.session import Status
from ekiden.domain.title import title_of
from ekiden.domain.told import told
from ekiden_gateway.access import UsedParts, begun
from ekiden_gateway.listing import Wanted
from ekiden_gateway.models.sessions import SessionSummary
from ekiden_gateway.page.languages import Words, in_language
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import router, streamed
from ekiden_gateway.page.visitor import Known, Listening
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import invalid
from ekiden_gateway.routes import counts as counting
from ekiden_gateway.routes import sessions as routes

router = router()
ROWS = 25


@dataclass(frozen=True, slots=True)
class Filter:
    """What the address of the list asks for, as it was written there."""

    status: tuple[Status, ...] = ()
    workflow: str = ""
    since: str = ""
    until: str = ""
    metadata: str = ""
    cursor: str = ""

    @property
    def narrows(self) -> bool:
        return bool(self.workflow or self.since or self.until or self.metadata)

    def link(self, status: Sequence[Status]) -> str:
        """The list with these statuses and all else as it is, from its beginning."""
        return self._address([("status", name.value) for name in status])

    def next(self, cursor: str) -> str:
        return self._address([*(("status", name.value) for name in self.status), ("cursor", cursor)])

    def wanted(self, owner: str) -> Wanted:
        """Raises Problem for what is no date."""
        until = _day("until", self.until)
        return Wanted(
            owner,
            self.status,
            self.workflow or None,
            _day("since", self.since),
            until + timedelta(days=1) if until else None,
            [self.metadata] if self.metadata else (),
        )

    def _address(self, more: Sequence[tuple[str, str]]) -> str:
        own = {name: getattr(self, name) for name in ("workflow", "since", "until", "metadata")}
        query = [(name, value) for name, value in own.items() if value]
        return f"/?{urlencode([*more, *query])}" if more or query else "/"


@dataclass(frozen=True, slots=True)
class Row:
    """A session's line: what it is about, its number of legs, and the one it is in."""

    item: SessionSummary
    title: str
    legs: int
    leg: str
    told: str


@router.get("/")
async def sessions(
    parts: UsedParts,
    visitor: Known,
    status: Annotated[list[Status] | None, Query()] = None,
    workflow: Annotated[str, Query(max_length=100)] = "",
    since: Annotated[str, Query(max_length=10)] = "",
    until: Annotated[str, Query(max_length=10)] = "",
    metadata: Annotated[str, Query(max_length=570)] = "",
    cursor: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    asked = Filter(tuple(status or ()), workflow, since, until, metadata.strip(), cursor)
    wanted = asked.wanted(visitor.owner)
    found = await routes.page(
        parts,
        visitor.owner,
        list(wanted.status),
        wanted.workflow,
        wanted.created_after,
        wanted.created_before,
        list(wanted.metadata),
        ROWS,
        cursor or None,
    )
    counted = await _counts(parts, wanted)
    return page(
        visitor,
        "sessions.html.j2",
        here="sessions",
        filter=asked,
        rows=[row(item, parts, visitor.words) for item in found.items],
        following=found.next_cursor,
        counts=[(name, counted[name]) for name in Status if name in counted],
        total=sum(counted.values()),
        workflows=[(name, _title(parts, name, visitor.words)) for name in sorted(parts.catalogue.workflows)],
    )


@router.get("/sessions/counts")
async def live_counts(request: Request, parts: UsedParts, visitor: Known, may_go_on: Listening) -> Response:
    """The stream of the API, for a browser that has signed in: it tells the list when to look again."""
    begun(parts)
    return streamed(await counting.counts(request, parts, visitor.owner, may_go_on))


def row(item: SessionSummary, parts: Parts, words: Words) -> Row:
    """Its phases are those of the workflow as it is today: the version it started with may have had others."""
    known = parts.catalogue.workflows.get(item.workflow.partition("@")[0])
    phases = known.definition.phases if known else ()
    legs = max(len(phases), item.current_phase or 1)
    here = item.current_phase
    name = ""
    if here is not None and here <= len(phases):
        name = in_language(phases[here - 1].title, words.language, phases[here - 1].name)
    leg = words("list.leg", number=here, name=name) if here and item.status is not Status.COMPLETED else ""
    told = words("list.course", here=here or 0, legs=legs, status=words(f"status.{item.status}"))
    return Row(item, title_of(item.input, item.session_id), legs, leg, told)


async def _counts(parts: Parts, wanted: Wanted) -> Mapping[Status, int]:
    """Of each status, by all filters but that of the status."""
    filters = {name: value for name, value in wanted.filters().items() if name != "status"}
    return await parts.sessions.counts(filters)


def _title(parts: Parts, name: str, words: Words) -> str:
    return in_language(parts.catalogue.workflows[name].definition.title, words.language, name)


def _day(field: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC)
    except ValueError:
        raise invalid(field, told("is no date: write it as 2026-11-22")) from None
