"""Every metric in one place: name, kind, unit, labels and meaning. Prefix `ekiden_`, base units, no ids in labels."""

from prometheus_client import Counter, Gauge, Histogram

CALL_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 45, 60, 75, 90, 120, 180, 300)
"""Seconds. A search takes about 70: the usual buckets that end at 10 would show nothing of it."""
HANDOFF_BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.015, 0.04, 0.1, 0.25, 0.5, 1, 5, 15)
SESSION_BUCKETS = (1, 2, 5, 10, 20, 30, 60, 120, 180, 300, 450, 600, 900, 1800, 3600)

SESSIONS_STARTED = Counter("ekiden_sessions_started_total", "Sessions that began")
SESSIONS_FINISHED = Counter("ekiden_sessions_finished_total", "Sessions that ended, by outcome", ["outcome"])
SESSION_SECONDS = Histogram("ekiden_session_duration_seconds", "From start to end", buckets=SESSION_BUCKETS)
STEP_SECONDS = Histogram(
    "ekiden_step_duration_seconds", "From order to result of a step", ["phase", "step"], buckets=CALL_BUCKETS
)
HANDOFF_SECONDS = Histogram(
    "ekiden_step_handoff_seconds", "From a task's end to the next command published", buckets=HANDOFF_BUCKETS
)
CAS_CONFLICTS = Counter("ekiden_cas_conflicts_total", "Decisions made again because somebody else moved the session")

PROVIDER_REQUESTS = Counter(
    "ekiden_provider_requests_total", "Calls sent to a provider, by how they ended", ["provider", "model", "outcome"]
)
PROVIDER_SECONDS = Histogram(
    "ekiden_provider_request_duration_seconds", "From sending to answer", ["provider"], buckets=CALL_BUCKETS
)
PROVIDER_TOKENS = Counter("ekiden_provider_tokens_total", "Tokens used", ["provider", "direction"])
PROVIDER_COST = Counter("ekiden_provider_cost_usd_total", "Money spent, in USD", ["provider"])
CALLS_ABOVE_CAP = Counter(
    "ekiden_calls_above_cap_total", "Calls that cost more than the cap of one call, booked as they are", ["provider"]
)
COST_SAVED = Counter("ekiden_cost_saved_usd_total", "Money the search cache saved, in USD")
TASK_RETRIES = Counter("ekiden_task_retries_total", "Tasks queued again after an error", ["provider", "error"])

LEASE_TAKEOVERS = Counter("ekiden_lease_takeovers_total", "Tasks freed because their worker's lease ran out")
OUTCOME_UNKNOWN = Counter("ekiden_outcome_unknown_total", "Calls nobody can say of whether they were bought")
RECONCILER_REPAIRS = Counter("ekiden_reconciler_repairs_total", "What the reconciler had to mend", ["cause"])

TASKS_OUTSTANDING = Gauge(
    "ekiden_tasks_outstanding", "Tasks waiting (queued) or under way (leased): scale by this", ["provider", "state"]
)
SESSIONS_WAITING = Gauge("ekiden_sessions_waiting", "Sessions that wait, by reason", ["reason"])
SESSIONS_STALLED = Gauge("ekiden_sessions_stalled", "Sessions that stand still and should not")
DEAD_LETTERS = Gauge("ekiden_dead_letters", "Messages nobody could handle, kept or still queued, and not replayed")
BREAKER_OPEN = Gauge("ekiden_provider_breaker_open", "1 while calls to a provider are held back", ["provider"])

HTTP_REQUESTS = Counter("ekiden_http_requests_total", "Requests answered", ["method", "route", "status"])
HTTP_SECONDS = Histogram("ekiden_http_request_duration_seconds", "From request to answer", ["method", "route"])
