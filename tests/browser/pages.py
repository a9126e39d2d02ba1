"""Every page there is, by name: `{…}` stands for something of the gallery."""

from collections.abc import Mapping

PAGES: Mapping[str, str] = {
    "sessions": "/",
    "nothing-found": "/?metadata=shelf:7",
    "start": "/start",
    "completed": "/sessions/{completed}",
    "english": "/sessions/{english}",
    "gate": "/sessions/{gate}",
    "review": "/sessions/{review}",
    "failed": "/sessions/{failed}",
    "unknown": "/sessions/{unknown}",
    "budget": "/sessions/{budget}",
    "searching": "/sessions/{searching}",
    "pending": "/sessions/{pending}",
    "cancelled": "/sessions/{cancelled}",
    "call": "/sessions/{completed}/tasks/{completed}.1E.g1.0",
    "schedules": "/schedules",
    "new-schedule": "/schedules/new",
    "schedule": "/schedules/{schedule}",
    "edit-schedule": "/schedules/{schedule}/edit",
    "webhooks": "/webhooks",
    "webhook": "/webhooks/{webhook}",
    "delivery": "/webhooks/{webhook}/deliveries/{delivery}",
    "gate-link": "/gates/{link}",
    "spent-link": "/gates/{spent}",
    "keys": "/keys",
    "providers": "/providers",
    "dead-letters": "/dead-letters",
    "dead-letter": "/dead-letters/{letter}",
    "sign-in": "/sign-in",
    "problem": "/sessions/ses_00000000000000000000000000000000",
    "reference": "/docs",
}
IN_ENGLISH_ONLY = frozenset({"reference"})
