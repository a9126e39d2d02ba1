"""Every metric in one place: kind, unit, labels, who exports it, what it means, and what to do when it moves.

Prefix `ekiden_`, base units, no ids in labels. `make docs` makes docs/metrics.md from this table. Gauges of the whole
system are read from the database by every orchestrator: take `max()` of them, and `sum()` of everything else.

Longer than a module should be, because it is the one place.
"""

from collections.abc import Iterator

from ekiden.broker.topology import queues
from ekiden.domain.plan import Provider
from ekiden.domain.session import WaitingReason
from ekiden.errors import NotBought, ProviderError, Rejected
from ekiden.metric import Table

GATEWAY, ORCHESTRATOR = "gateway", "orchestrator"
WORKERS = ("gpt-worker", "perplexity-worker")
RELAYS = (GATEWAY, ORCHESTRATOR)
CONSUMERS = (ORCHESTRATOR, *WORKERS)
EVERYBODY = (GATEWAY, *CONSUMERS)

CALL_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 45, 60, 75, 90, 120, 180, 300)
"""Seconds. A search takes about 70: the usual buckets that end at 10 would show nothing of it."""
HANDOFF_BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.04, 0.1, 0.25, 0.5, 1, 5, 15)
SESSION_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 450, 600, 900, 1800, 3600)
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SERVER_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Seconds of one question to broker or database; both are given up after 5 to 10."""


def _names(kind: type[ProviderError]) -> Iterator[str]:
    """The errors a call may end with: all of the tree but its inner branches."""
    if kind not in {ProviderError, NotBought, Rejected}:
        yield kind.__name__
    for below in kind.__subclasses__():
        yield from _names(below)


PROVIDERS = tuple(Provider)
ERRORS = tuple(_names(ProviderError))
OUTCOMES = ("completed", "refused", "held_back", "not_sent", "unusable", "unknown", "failed", "rejected")
DATES = ("due", "retry_due", "gate_due", "fell_back")
LOSSES = ("forgotten", "freed", "freed_unknown", "not_applied", "task_missing", "stalled")
CAUSES = DATES + LOSSES

TICKS = ("fired", "queued", "skipped_overlap", "skipped_budget", "skipped_paused", "missed")

TABLE = Table(like_others=WORKERS[0])

# ── Sessions ─────────────────────────────────────────────────────────────────────────────────────────────────

SESSIONS_STARTED = TABLE.counter(
    "sessions_started_total",
    "sessions",
    of=RELAYS,
    means="Sessions that began.",
    act="None although people create sessions: look for 5xx and 409 in `ekiden_http_requests_total`.",
)
SESSIONS_FINISHED = TABLE.counter(
    "sessions_finished_total",
    "sessions",
    of=RELAYS,
    labels={"outcome": ("completed", "failed", "cancelled")},
    means="Sessions that ended, by outcome.",
    act="`failed` rises: `ekiden sessions list --status failed`; `ekiden sessions recover` names the repair.",
)
SESSION_SECONDS = TABLE.histogram(
    "session_duration_seconds",
    "seconds",
    of=RELAYS,
    buckets=SESSION_BUCKETS,
    means="From start to end of a session, waiting for people included.",
    act="Grows: `ekiden_step_duration_seconds` says in which step, `ekiden_sessions_waiting` for whom it waits.",
)
STEP_SECONDS = TABLE.histogram(
    "step_duration_seconds",
    "seconds",
    of=RELAYS,
    labels={"phase": None, "step": None},
    buckets=CALL_BUCKETS,
    means="From the order of a step to its last result.",
    act="More than the provider takes: tasks queue; scale the workers of that provider, or see its rate and breaker.",
)
HANDOFF_SECONDS = TABLE.histogram(
    "step_handoff_seconds",
    "seconds",
    of=RELAYS,
    buckets=HANDOFF_BUCKETS,
    means="From a task's end to the next command published: what Ekiden itself adds to a step.",
    act="p99 above 0.5 s: too few orchestrators, or a slow database; see `ekiden_mongodb_command_duration_seconds`.",
)
SESSIONS_WAITING = TABLE.gauge(
    "sessions_waiting",
    "sessions",
    of=[ORCHESTRATOR],
    labels={"reason": tuple(WaitingReason)},
    means="Sessions that wait for a person or a date, by reason.",
    act="`outcome_unknown` and `budget`: somebody must decide. `approval`, `paused`: asked for. `retry`: ends itself.",
)
SESSIONS_WAITING_LONGEST = TABLE.gauge(
    "sessions_waiting_longest_seconds",
    "seconds",
    of=[ORCHESTRATOR],
    labels={"reason": tuple(WaitingReason)},
    means="For how long the session that has waited longest has waited, by reason; 0 when none waits.",
    act="`outcome_unknown`, `budget`: nobody decides. `retry` above 11 minutes: the reconciler stands still.",
)
SESSIONS_STALLED = TABLE.gauge(
    "sessions_stalled",
    "sessions",
    of=[ORCHESTRATOR],
    means="Sessions that the last sweep found still for two minutes, waiting for nothing; it set them going again.",
    act="Above 0 is a bug of ours: keep the log line `session_stalled`, which has the cause, and report it.",
)
SESSIONS_PRUNED = TABLE.counter(
    "sessions_pruned_total",
    "sessions",
    of=[ORCHESTRATOR],
    means="Finished sessions older than `EKIDEN_RETENTION_DAYS` that were deleted with all they left.",
    act="Still while retention is on and old sessions are there: see `loop_crashed` in the orchestrator's log.",
)
PRUNED_COST = TABLE.counter(
    "pruned_cost_usd_total",
    "USD",
    of=[ORCHESTRATOR],
    means="What pruned sessions had cost; the collection `pruned` keeps it for each of them.",
    act="None: it is what a bill made from the sessions that are left lacks.",
)
CAS_CONFLICTS = TABLE.counter(
    "cas_conflicts_total",
    "decisions",
    of=RELAYS,
    means="Decisions made again because somebody else had moved the session meanwhile.",
    act="A few per hundred steps are normal. Many: two orchestrators fight over the same sessions; see redeliveries.",
)
COST_SAVED = TABLE.counter(
    "cost_saved_usd_total",
    "USD",
    of=RELAYS,
    means="Money that the search cache saved.",
    act="Falls while searches repeat: `EKIDEN_SEARCH_CACHE_SECONDS` may be too short.",
)

# ── Schedules ────────────────────────────────────────────────────────────────────────────────────────────────

SCHEDULE_TICKS = TABLE.counter(
    "schedule_ticks_total",
    "ticks",
    of=RELAYS,
    labels={"outcome": TICKS},
    means="Ticks of schedules by what became of them; a person's own orders count, too. One that waited counts twice.",
    act="`missed`: nobody fired in time. `skipped_budget`: the month's money is used up. `GET …/runs` has each.",
)
SCHEDULES_LATE = TABLE.gauge(
    "schedules_late_seconds",
    "seconds",
    of=[ORCHESTRATOR],
    means="For how long the tick that has been due longest has been due; 0 when none is, or no schedule is active.",
    act="Above a minute: no orchestrator runs with `EKIDEN_SCHEDULER=on`, or all are stuck: see `scheduling_crashed`.",
)

# ── Providers ────────────────────────────────────────────────────────────────────────────────────────────────

PROVIDER_REQUESTS = TABLE.counter(
    "provider_requests_total",
    "calls",
    of=WORKERS,
    labels={"provider": PROVIDERS, "model": None, "outcome": OUTCOMES},
    means="Calls to a provider by how they ended; `model` is empty for those without an answer.",
    act="`refused`, `held_back`: see `ekiden_provider_errors_total`. `unusable`: see the prompt and its schema.",
)
PROVIDER_ERRORS = TABLE.counter(
    "provider_errors_total",
    "calls",
    of=WORKERS,
    labels={"provider": PROVIDERS, "error": ERRORS},
    means="Calls that ended with an error, by its kind; `RateLimited` is the provider's 429.",
    act="`RateLimited`: lower `EKIDEN_<PROVIDER>_RATE_PER_MINUTE`. `QuotaExhausted`: pay. Others: see the log.",
)
PROVIDER_SECONDS = TABLE.histogram(
    "provider_request_duration_seconds",
    "seconds",
    of=WORKERS,
    labels={"provider": PROVIDERS},
    buckets=CALL_BUCKETS,
    means="From sending a call to its answer; for a search from its acceptance to its verdict.",
    act="Grows: the provider is slow. Sessions take longer and nothing is lost; more workers do not help.",
)
PROVIDER_TOKENS = TABLE.counter(
    "provider_tokens_total",
    "tokens",
    of=WORKERS,
    labels={"provider": PROVIDERS, "direction": ("input", "output")},
    means="Tokens that calls used.",
    act="Grows faster than sessions: prompts have grown, or answers are asked for again (`unusable`).",
)
PROVIDER_COST = TABLE.counter(
    "provider_cost_usd_total",
    "USD",
    of=WORKERS,
    labels={"provider": PROVIDERS},
    means="Money spent, as booked in the ledger. Money at risk in unknown outcomes is not in it.",
    act="Grows faster than sessions start: see retries, unknown outcomes and calls above their cap.",
)
CALLS_ABOVE_CAP = TABLE.counter(
    "calls_above_cap_total",
    "calls",
    of=WORKERS,
    labels={"provider": PROVIDERS},
    means="Calls that cost more than the cap of one call. They are booked as they are.",
    act="Raise `cap_usd` in the workflow, or lower its limits: a budget may be passed by the difference.",
)
PROVIDER_RATE_LIMIT = TABLE.gauge(
    "provider_rate_limit_per_second",
    "calls per second",
    of=WORKERS,
    labels={"provider": None},
    means="Calls a second that all workers of a provider may make together; +Inf when unlimited.",
    act="When calls come near it they wait in line: ask for more, then raise `EKIDEN_<PROVIDER>_RATE_PER_MINUTE`.",
)
BREAKER_OPEN = TABLE.gauge(
    "provider_breaker_open",
    "0 or 1",
    of=CONSUMERS,
    labels={"provider": PROVIDERS},
    means="1 while calls to a provider are held back: its tasks stay queued and cost nothing.",
    act="`ekiden providers list` says why. A probe closes it once the provider answers; `… close` does at once.",
)

# ── Tasks ────────────────────────────────────────────────────────────────────────────────────────────────────

TASKS_OUTSTANDING = TABLE.gauge(
    "tasks_outstanding",
    "tasks",
    of=[ORCHESTRATOR],
    labels={"provider": PROVIDERS, "state": ("queued", "leased")},
    means="Tasks that wait (queued) or are under way (leased). Workers are scaled by the sum of both.",
    act="`queued` grows: add workers of that provider, unless its rate or its breaker holds the tasks back.",
)
TASK_RETRIES = TABLE.counter(
    "task_retries_total",
    "tasks",
    of=WORKERS,
    labels={"provider": PROVIDERS, "error": ERRORS},
    means="Tasks queued again after an error.",
    act="Rises with one error: treat that error. Of these only `InvalidOutput` and `OutcomeUnknown` cost money.",
)
LEASE_TAKEOVERS = TABLE.counter(
    "lease_takeovers_total",
    "tasks",
    of=[ORCHESTRATOR],
    means="Tasks freed because their worker's lease ran out.",
    act="A worker died, hung, or could not reach the database for 8 s: see its restarts, memory and log.",
)
OUTCOME_UNKNOWN = TABLE.counter(
    "outcome_unknown_total",
    "calls",
    of=CONSUMERS,
    means="Calls of which nobody can say whether they were bought.",
    act="GPT's are sent again, at most three times. A search's session waits: `ekiden sessions list --status waiting`.",
)
RECONCILER_REPAIRS = TABLE.counter(
    "reconciler_repairs_total",
    "repairs",
    of=[ORCHESTRATOR],
    labels={"cause": CAUSES},
    means="What the reconciler set going. `due`, `…_due` and `fell_back` are its daily work; others mend a loss.",
    act="Others go on rising: messages or processes get lost; see restarts and `ekiden_unreachable_total`.",
)

# ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────

DEAD_LETTERS = TABLE.gauge(
    "dead_letters",
    "messages",
    of=[ORCHESTRATOR],
    means="Messages nobody could handle, kept or still queued, and neither replayed nor dropped.",
    act="`ekiden dead-letters list` says why; mend the cause, then `ekiden dead-letters replay`, or `drop`.",
)
MESSAGES_BURIED = TABLE.counter(
    "messages_buried_total",
    "messages",
    of=CONSUMERS,
    labels={
        "queue": tuple(q.name for q in queues()),
        "reason": ("undecodable", "oversized", "handler_crashed"),
    },
    means="Messages a consumer gave up and sent to the dead letters.",
    act="`handler_crashed` is a bug of ours, with its trace in the letter; the others are somebody else's messages.",
)
PUBLISH_SECONDS = TABLE.histogram(
    "publish_duration_seconds",
    "seconds",
    of=EVERYBODY,
    labels={"outcome": ("confirmed", "failed")},
    buckets=SERVER_BUCKETS,
    means="From publishing a message to the broker's confirmation, or to giving up after 5 s.",
    act="`failed`, or seconds: the broker is away or blocks publishers (memory, disk). Nothing is lost.",
)

_BY_QUEUE = {"queue": None}

MESSAGES_IN_PROCESS = TABLE.gauge(
    "received_messages_in_process",
    "messages",
    of=CONSUMERS,
    labels=_BY_QUEUE,
    means="Messages held unacknowledged by handlers: those that wait for a slot, a rate or a breaker included.",
    act="Stays at its prefetch per worker (64, of texts 16): the queue backs up; see `ekiden_tasks_outstanding`.",
)
MESSAGES_PROCESSED = TABLE.counter(
    "received_processed_messages_total",
    "messages",
    of=CONSUMERS,
    labels=_BY_QUEUE,
    means="Messages that a handler is done with.",
    act="Stops while the queue is not empty: the consumers hang; see `/readyz` of the service.",
)
MESSAGE_SECONDS = TABLE.histogram(
    "received_processed_messages_duration_seconds",
    "seconds",
    of=CONSUMERS,
    labels=_BY_QUEUE,
    buckets=CALL_BUCKETS,
    means="How long a handler held a message: a worker's until the claim, the orchestrator's for one decision.",
    act="The orchestrator's above 1 s: a slow database. A worker's: its slots, the provider's rate or breaker.",
)

# ── Webhooks ─────────────────────────────────────────────────────────────────────────────────────────────────

WEBHOOK_DELIVERIES = TABLE.counter(
    "webhook_deliveries_total",
    "attempts",
    of=[ORCHESTRATOR],
    labels={"outcome": ("delivered", "retried", "failed", "disabled")},
    means="Attempts to deliver, by what followed; `failed` was the last one, `disabled` found its webhook disabled.",
    act="`failed` rises: a receiver is down for days. `GET /api/webhooks/{id}/deliveries` says why; replay them later.",
)
WEBHOOK_OVERDUE_SECONDS = TABLE.gauge(
    "webhook_overdue_seconds",
    "seconds",
    of=[ORCHESTRATOR],
    means="For how long the delivery that has waited longest behind its time has waited; 0 when none does.",
    act="Minutes: a slow receiver has more than four attempts at once can take, or no orchestrator sends.",
)

# ── Broker, database, HTTP ───────────────────────────────────────────────────────────────────────────────────

UNREACHABLE = TABLE.counter(
    "unreachable_total",
    "attempts",
    of=EVERYBODY,
    labels={"server": ("broker", "database")},
    means="Attempts at which broker or database did not answer.",
    act="A few around a failover are normal. Go on rising: that server is down, or the network to it.",
)
MONGODB_SECONDS = TABLE.histogram(
    "mongodb_command_duration_seconds",
    "seconds",
    of=EVERYBODY,
    labels={"command": None},
    buckets=SERVER_BUCKETS,
    means="From sending a command to the database to its answer.",
    act="p99 above 0.1 s: the database's disk, which is asked to journal, or its CPU is full.",
)
MONGODB_FAILURES = TABLE.counter(
    "mongodb_command_failures_total",
    "commands",
    of=EVERYBODY,
    labels={"command": None},
    means="Commands that the database refused or did not answer.",
    act="Around a failover: normal. Else the service's log has the error.",
)
HTTP_REQUESTS = TABLE.counter(
    "http_requests_total",
    "requests",
    of=[GATEWAY],
    labels={"method": None, "route": None, "status": None},
    means="Requests answered by the gateway.",
    act="503: broker or database away. Other 5xx: a bug, logged with its request id. 429: a caller over quota.",
)
REQUESTS_REFUSED = TABLE.counter(
    "requests_refused_total",
    "requests",
    of=[GATEWAY],
    labels={"reason": ("rate", "sessions", "queue_depth")},
    means="Requests refused although nothing was wrong with them: over a client's quota, or too much is queued.",
    act="`rate`, `sessions`: a client asks for more than it may: `/api/keys`. `queue_depth`: add workers.",
)
HTTP_SECONDS = TABLE.histogram(
    "http_request_duration_seconds",
    "seconds",
    of=[GATEWAY],
    labels={"method": None, "route": None},
    buckets=HTTP_BUCKETS,
    means="From request to the first byte of its answer.",
    act="Grows: a slow database, or too few gateways.",
)
