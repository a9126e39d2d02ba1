"""The pages, one module for each kind: they read with the stores, show with the views, and say what the routes say."""

from ekiden_gateway.page.screens import (
    dead_letters,
    doors,
    files,
    gate_links,
    keys,
    providers,
    results,
    schedules,
    session,
    sessions,
    start,
    webhooks,
    words,
)

MODULES = (
    sessions,
    start,
    schedules,
    webhooks,
    keys,
    session,
    results,
    words,
    gate_links,
    providers,
    dead_letters,
    doors,
    files,
)
