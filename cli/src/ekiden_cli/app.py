"""The `ekiden` command, put together."""

import importlib.util

import typer

from ekiden_cli.commands import dead_letters, keys, providers, schedules, sessions, webhooks, workflow
from ekiden_cli.commands.doctor import doctor
from ekiden_cli.commands.drafts import drafts, report
from ekiden_cli.commands.replay import replay
from ekiden_cli.commands.run import run
from ekiden_cli.errors import MEANINGS

_EPILOG = f"Exit codes: {'; '.join(f'{code} {meaning}' for code, meaning in MEANINGS.items())}."


def make_app() -> typer.Typer:
    app = typer.Typer(
        name="ekiden",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=_EPILOG,
    )
    app.callback()(_about)
    app.command()(run)
    app.add_typer(sessions.app, name="sessions")
    app.command()(drafts)
    app.command()(report)
    app.command()(replay)
    app.add_typer(schedules.app, name="schedules")
    app.add_typer(webhooks.app, name="webhooks")
    app.add_typer(keys.app, name="keys")
    app.add_typer(providers.app, name="providers")
    app.add_typer(dead_letters.app, name="dead-letters")
    app.add_typer(workflow.app, name="workflow")
    app.command()(doctor)
    if importlib.util.find_spec("ekiden_native"):  # only where the repository is: it starts a whole stack
        from ekiden_cli.commands.demo import demo

        app.command(hidden=True)(demo)
    return app


def _about() -> None:
    """Ekiden carries a chain-of-thought session from phase to phase.

    The gateway's address is taken from EKIDEN_GATEWAY_URL, else from the native stack's .local/stack.env.
    """
