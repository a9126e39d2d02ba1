"""Webhooks: who is told what happens, with which secret, and how each telling went."""

from typing import Annotated

from fastapi import Depends, Query, Response
from pydantic import ValidationError

from ekiden.webhooks.endpoint import Webhook
from ekiden.webhooks.events import EventKind
from ekiden_gateway import receivers
from ekiden_gateway.access import UsedParts, begun
from ekiden_gateway.conditional import etag
from ekiden_gateway.kinds import INVALID, NOT_FOUND
from ekiden_gateway.models.requests import CreateWebhook, EditWebhook
from ekiden_gateway.models.webhooks import WebhookWithSecret
from ekiden_gateway.page.filled import Filled, mistaken
from ekiden_gateway.page.forms import Form, WrittenForm, checked, new_key
from ekiden_gateway.page.rendering import page
from ekiden_gateway.page.routing import go_to, router
from ekiden_gateway.page.visitor import Known, Visitor
from ekiden_gateway.parts import Parts
from ekiden_gateway.problems import Problem
from ekiden_gateway.routes import webhook_deliveries as telling
from ekiden_gateway.routes import webhooks as routes

router = router()
ROWS = 25
KINDS = [kind.value for kind in EventKind]
Cursor = Annotated[str, Query(max_length=200)]


async def of_visitor(webhook_id: routes.WebhookPath, parts: UsedParts, visitor: Known) -> Webhook:
    return await routes.located(webhook_id, parts, visitor.owner)


Shown = Annotated[Webhook, Depends(of_visitor)]


@router.get("/webhooks")
async def listed(parts: UsedParts, visitor: Known, cursor: Cursor = "") -> Response:
    return await _list(parts, visitor, Filled({}, {}), cursor=cursor)


@router.post("/webhooks")
async def make(parts: UsedParts, visitor: Known, form: WrittenForm) -> Response:
    """Make a webhook. The answer shows its secret; so it is no redirect."""
    begun(parts)
    try:
        asked = CreateWebhook.model_validate({"url": form.text("url"), "events": _events(form)})
        made = await routes.create(asked, parts, visitor.owner, Response(), form.key)
    except (ValidationError, Problem) as error:
        wrong = {name.split(".")[0]: said for name, said in mistaken(error).items()}
        return await _list(parts, visitor, Filled(form.fields, wrong), code=INVALID.status)
    webhook = await receivers.known(parts, visitor.owner, made.id)
    return await _one(parts, visitor, webhook, made)


@router.get("/webhooks/{webhookId}")
async def one(webhook: Shown, parts: UsedParts, visitor: Known, cursor: Cursor = "") -> Response:
    return await _one(parts, visitor, webhook, None, cursor)


@router.post("/webhooks/{webhookId}/{what}")
async def turn(webhook: Shown, parts: UsedParts, visitor: Known, form: WrittenForm, what: str) -> Response:
    begun(parts)
    match what:
        case "edit":
            asked: dict[str, object] = {"events": _events(form), "enabled": bool(form.text("enabled"))}
            if not webhook.session_only:
                asked["url"] = form.text("url")
            seen = form.text("seen") or None
            await routes.edit(webhook, parts, checked(EditWebhook, asked), Response(), seen)
        case "rotate":
            made = await routes.rotate(webhook, parts, Response(), form.key)
            return await _one(parts, visitor, await receivers.known(parts, visitor.owner, webhook.id), made)
        case "test":
            told = await routes.ping(webhook, parts, Response())
            return go_to(f"/webhooks/{webhook.id}/deliveries/{told.id}")
        case "delete":
            await routes.delete(webhook, parts)
            return go_to("/webhooks")
        case _:
            raise Problem(NOT_FOUND)
    return go_to(f"/webhooks/{webhook.id}")


@router.get("/webhooks/{webhookId}/deliveries/{deliveryId}")
async def delivery(webhook: Shown, parts: UsedParts, visitor: Known, delivery_id: telling.DeliveryPath) -> Response:
    found = await telling.show(webhook, parts, delivery_id)
    return page(visitor, "delivery.html.j2", here="webhooks", webhook=webhook, delivery=found, key=new_key())


@router.post("/webhooks/{webhookId}/deliveries/{deliveryId}/replay")
async def replay(webhook: Shown, parts: UsedParts, form: WrittenForm, delivery_id: telling.DeliveryPath) -> Response:
    begun(parts)
    await telling.replay(webhook, parts, delivery_id)
    return go_to(f"/webhooks/{webhook.id}/deliveries/{delivery_id}")


async def _list(parts: Parts, visitor: Visitor, filled: Filled, *, cursor: str = "", code: int = 200) -> Response:
    found = await routes.page(parts, visitor.owner, ROWS, cursor or None)
    shown = {"found": found, "filled": filled, "kinds": KINDS, "key": new_key()}
    return page(visitor, "webhooks.html.j2", code, here="webhooks", **shown)


async def _one(
    parts: Parts, visitor: Visitor, webhook: Webhook, made: WebhookWithSecret | None, cursor: str = ""
) -> Response:
    """A webhook with its deliveries; `made` is one whose secret is shown this once."""
    return page(
        visitor,
        "webhook.html.j2",
        here="webhooks",
        webhook=await routes.show(webhook, Response()),
        made=made,
        deliveries=await telling.page(webhook, parts, None, ROWS, cursor or None),
        kinds=KINDS,
        tag=etag(webhook.revision),
        key=new_key(),
    )


def _events(form: Form) -> list[str] | None:
    """The kinds that were chosen; None when all or none were: later ones, too."""
    chosen = form.texts("events")
    return None if not chosen or set(chosen) == set(KINDS) else chosen
