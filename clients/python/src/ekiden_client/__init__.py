"""An asynchronous, typed client of Ekiden's HTTP API.

::

    async with EkidenClient("http://127.0.0.1:8000") as client:
        drafts = await client.run("AI and work", platform="linkedin")
        print(drafts.drafts[0].text)

`EkidenClient` is where to begin, `errors` draws what can go wrong, `docs/python-client.md` is the guide.
"""

from ekiden_client.actions import (
    AnswerGate,
    Cancel,
    Pause,
    Resolve,
    ResolveAll,
    RestartPhase,
    RestartSession,
    Resume,
    Retry,
)
from ekiden_client.changes import KEPT
from ekiden_client.client import EkidenClient
from ekiden_client.errors import (
    ChangedMeanwhile,
    Conflict,
    EkidenError,
    Forbidden,
    GatewayBug,
    Invalid,
    Misconfigured,
    NotAGateway,
    NotFound,
    OverQuota,
    Problem,
    SessionCancelled,
    SessionFailed,
    SessionWaits,
    StillRunning,
    Stopped,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from ekiden_client.models.dead_letters import DeadLetter
from ekiden_client.models.document import Page
from ekiden_client.models.drafts import Draft, Drafts, TaggedDraft
from ekiden_client.models.forecast import Calls, Forecast
from ekiden_client.models.gates import Gate, GateLink, GateTimeout, WholeGate
from ekiden_client.models.health import HealthReport
from ekiden_client.models.history import Entry, Event, Said
from ekiden_client.models.keys import Key, MadeKey
from ekiden_client.models.providers import ProviderState
from ekiden_client.models.replays import ReplayForecast
from ekiden_client.models.schedules import Fired, Preview, Run, Schedule, Scheduler, ScheduleSummary
from ekiden_client.models.sessions import (
    CommandResult,
    CreatedSession,
    DryRun,
    Session,
    SessionCounts,
    SessionState,
    SessionSummary,
)
from ekiden_client.models.status import SessionStatus
from ekiden_client.models.tasks import Submission, Task
from ekiden_client.models.webhooks import Delivery, Webhook, WebhookWithSecret, WholeDelivery
from ekiden_client.models.words import (
    DeliveryStatus,
    DraftForm,
    DraftStatus,
    EventKind,
    GateDefault,
    Outcome,
    Overlap,
    ReportForm,
    Scope,
    Status,
    Step,
    TaskStatus,
    WaitingReason,
)
from ekiden_client.models.workflows import Workflow
from ekiden_client.patience import Patience

__all__ = [
    "KEPT",
    "AnswerGate",
    "Calls",
    "Cancel",
    "ChangedMeanwhile",
    "CommandResult",
    "Conflict",
    "CreatedSession",
    "DeadLetter",
    "Delivery",
    "DeliveryStatus",
    "Draft",
    "DraftForm",
    "DraftStatus",
    "Drafts",
    "DryRun",
    "EkidenClient",
    "EkidenError",
    "Entry",
    "Event",
    "EventKind",
    "Fired",
    "Forbidden",
    "Forecast",
    "Gate",
    "GateDefault",
    "GateLink",
    "GateTimeout",
    "GatewayBug",
    "HealthReport",
    "Invalid",
    "Key",
    "MadeKey",
    "Misconfigured",
    "NotAGateway",
    "NotFound",
    "Outcome",
    "OverQuota",
    "Overlap",
    "Page",
    "Patience",
    "Pause",
    "Preview",
    "Problem",
    "ProviderState",
    "ReplayForecast",
    "ReportForm",
    "Resolve",
    "ResolveAll",
    "RestartPhase",
    "RestartSession",
    "Resume",
    "Retry",
    "Run",
    "Said",
    "Schedule",
    "ScheduleSummary",
    "Scheduler",
    "Scope",
    "Session",
    "SessionCancelled",
    "SessionCounts",
    "SessionFailed",
    "SessionState",
    "SessionStatus",
    "SessionSummary",
    "SessionWaits",
    "Status",
    "Step",
    "StillRunning",
    "Stopped",
    "Submission",
    "TaggedDraft",
    "Task",
    "TaskStatus",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
    "WaitingReason",
    "Webhook",
    "WebhookWithSecret",
    "WholeDelivery",
    "WholeGate",
    "Workflow",
]
