"""The pages, one module for each kind: they read with the stores, show with the views, and say what the routes say."""

from ekiden_gateway.page.screens import doors, files, sessions

MODULES = (sessions, doors, files)
