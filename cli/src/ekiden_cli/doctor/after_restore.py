"""What `ekiden doctor --after-restore` does, on the database itself: before any service is started again."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ekiden.domain.forecast import usd
from ekiden.domain.ids import Micros
from ekiden.errors import Unreachable as DatabaseAway
from ekiden.restore import AfterRestore, Doubt, Turned
from ekiden.store.database import Database
from ekiden_cli.addresses import Addresses
from ekiden_cli.errors import Away, CliError, NotThere

APP_NAME = "ekiden-doctor"
TIMEOUT_MS = 30_000
CLOSING_SECONDS = 5.0
"""How long the connections of services that were just stopped may take to go."""
_AGAIN_SECONDS = 0.2


class StillRunning(CliError):
    """Services are connected to the database."""


@dataclass(frozen=True)
class Outcome:
    """What is in doubt, and what was changed: nothing, when it was a dry run."""

    database: str
    doubts: Sequence[Doubt]
    turned: Turned | None

    @property
    def at_risk(self) -> Micros:
        return Micros(sum(doubt.at_risk for doubt in self.doubts))

    @property
    def expected_at_risk(self) -> Micros:
        return Micros(sum(doubt.expected_at_risk for doubt in self.doubts))

    def document(self) -> dict[str, object]:
        turned = self.turned
        return {
            "database": self.database,
            "dryRun": turned is None,
            "turned": {
                "sessions": turned.sessions,
                "searches": turned.searches,
                "calls": turned.calls,
                "schedules": turned.schedules,
            }
            if turned
            else None,
            "atRiskUsd": self.at_risk / 1_000_000,
            "expectedAtRiskUsd": self.expected_at_risk / 1_000_000,
            "sessions": [
                {
                    "sessionId": doubt.session,
                    "status": doubt.status,
                    "position": doubt.position or None,
                    "unknownSearches": doubt.searches,
                    "atRiskUsd": doubt.at_risk / 1_000_000,
                    "expectedSearches": doubt.expected,
                    "expectedAtRiskUsd": doubt.expected_at_risk / 1_000_000,
                    "gptCalls": doubt.calls,
                    "marked": doubt.is_marked,
                }
                for doubt in self.doubts
            ],
        }


async def after_restore(addresses: Addresses, *, dry_run: bool) -> Outcome:
    """Turn what may have been bought since the backup into unknown outcomes; with `dry_run` only say what.

    Raises StillRunning, Away, NotThere, CliError.
    """
    if addresses.mongodb_url is None:
        raise NotThere(
            "The database's address is not known.",
            help="Set EKIDEN_MONGODB_URL (and EKIDEN_MONGODB_DATABASE when it is not ekiden) to the restored database.",
        )
    database = Database(addresses.mongodb_url, addresses.mongodb_database, timeout_ms=TIMEOUT_MS, app_name=APP_NAME)
    where = f"{addresses.mongodb_database} at {_host(addresses.mongodb_url)}, from {addresses.source}"
    try:
        await database.synchronise_clock()
        work = AfterRestore(database)
        if dry_run:
            return Outcome(where, await work.survey(), None)
        await _until_alone(database)
        doubts = await work.survey()  # before: afterwards GPT calls have gone on by their policy
        return Outcome(where, doubts, await work.turn())
    except DatabaseAway as error:
        raise Away(f"{error}.", help="Start the restored database, and no service. Then run this again.") from error
    except KeyError as error:
        raise CliError(
            f"The workflow {error} of a session is not in the database.", help="Restore all collections of the backup."
        ) from error
    finally:
        await database.close()


async def _until_alone(database: Database) -> None:
    deadline = time.monotonic() + CLOSING_SECONDS
    while connected := await database.connected():
        if time.monotonic() > deadline:
            raise StillRunning(
                f"Services are connected to this database's server, from {', '.join(connected[:3])}"
                f"{' and others' if len(connected) > 3 else ''}: they may send what is in doubt. Nothing was changed.",
                help="Stop gateways, orchestrators and workers, leave the database running, and run this again.",
            )
        await asyncio.sleep(_AGAIN_SECONDS)


def lines(outcome: Outcome) -> Iterator[str]:
    """Say it to a person: which database, a line for each session of which something is in doubt, then the sum."""
    yield f"Database {outcome.database}"
    for doubt in outcome.doubts:
        parts = list(_parts(doubt))
        if parts:
            where = " ".join(part for part in (doubt.status, doubt.position) if part)
            yield f"{doubt.session}  {where}: {', '.join(parts)}"
    searches, expected = sum(d.searches for d in outcome.doubts), sum(d.expected for d in outcome.doubts)
    turned = outcome.turned
    if turned is None:
        yield "A dry run, nothing was changed."
    else:
        yield (
            f"{_count(turned.sessions, 'session')} marked as restored; {_count(turned.searches, 'search', 'searches')} "
            f"turned into unknown outcomes; {_count(turned.calls, 'GPT call')} left to their policy."
        )
    if turned is not None and turned.schedules:
        yield f"{_count(turned.schedules, 'schedule')} paused: what their last ticks began may not be known here."
    yield (
        f"In doubt: {_count(searches, 'search', 'searches')} (at risk {usd(outcome.at_risk)}), and up to {expected} "
        f"that sessions have yet to order (at risk {usd(outcome.expected_at_risk)}). None is sent before you say so."
    )
    if turned is not None:
        yield (
            "Start the services. Each session waits once it comes to a search: resend, give up or attach each, or for "
            "a whole session: ekiden sessions recover SESSION --action resolve_all --decision resend"
        )


def _host(url: str) -> str:
    """An address without user and password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _parts(doubt: Doubt) -> Iterator[str]:
    if doubt.searches:
        yield f"{_count(doubt.searches, 'search', 'searches')} unknown (at risk {usd(doubt.at_risk)})"
    if doubt.expected:
        yield f"up to {doubt.expected} more to come (at risk {usd(doubt.expected_at_risk)})"
    if doubt.calls:
        yield f"{_count(doubt.calls, 'GPT call')} under way"


def _count(number: int, word: str, plural: str = "") -> str:
    return f"{number} {word if number == 1 else plural or word + 's'}"
