"""What a session gave, as files: the API's own, for a browser that has signed in."""

from fastapi import Response

from ekiden_gateway.access import UsedParts
from ekiden_gateway.page.routing import router, streamed
from ekiden_gateway.page.screens.session import Shown
from ekiden_gateway.routes.drafts import DraftFormat, all_drafts
from ekiden_gateway.routes.reports import ReportFormat, report

router = router()


@router.get("/sessions/{sessionId}/report")
async def as_page(session: Shown, parts: UsedParts) -> Response:
    return await report(session, parts, ReportFormat.HTML)


@router.get("/sessions/{sessionId}/report.md")
async def as_markdown(session: Shown, parts: UsedParts) -> Response:
    return await report(session, parts, ReportFormat.MARKDOWN)


@router.get("/sessions/{sessionId}/drafts.md")
async def drafts_as_markdown(session: Shown, parts: UsedParts) -> Response:
    return streamed(await all_drafts(session, parts, DraftFormat.MARKDOWN))


@router.get("/sessions/{sessionId}/drafts.csv")
async def drafts_as_csv(session: Shown, parts: UsedParts) -> Response:
    return streamed(await all_drafts(session, parts, DraftFormat.CSV))


@router.get("/sessions/{sessionId}/drafts-excel.csv")
async def drafts_for_excel(session: Shown, parts: UsedParts) -> Response:
    """With the mark by which Excel knows UTF-8."""
    return streamed(await all_drafts(session, parts, DraftFormat.CSV, bom=True))
