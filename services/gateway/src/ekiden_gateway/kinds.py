"""The kinds of problems: one row each, from which answers, the OpenAPI document and `docs/problems.md` are made."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its type is the stable path `/problems/<name>`.

    `meaning` says when it is answered, `remedy` what helps. `again_seconds` is the `Retry-After` of one that passes.
    """

    name: str
    status: int
    title: str
    meaning: str
    remedy: str
    again_seconds: int | None = None

    @property
    def type(self) -> str:
        return f"/problems/{self.name}"


UNAUTHENTICATED = Kind(
    "unauthenticated",
    401,
    "An API key is needed",
    "The gateway has keys, and the request came with none of them.",
    "Send a key as `Authorization: Bearer …` or as `X-API-Key`.",
)
FORBIDDEN = Kind(
    "forbidden",
    403,
    "The API key may not do this",
    "The key is known, and lacks the scope: `read` to look, `write` to change, `admin` for what concerns all owners.",
    "Use a key that has the scope which `detail` names.",
)
FOREIGN_ORIGIN = Kind(
    "foreign-origin",
    403,
    "The request came from a foreign place",
    "A browser sent it for a page of another site, or an open gateway was asked by a name that is not its own. Both "
    "are how a hostile web page would reach a gateway that its visitor can reach. Nothing was changed.",
    "Programs are not concerned. In a browser use the gateway's own page. An open gateway behind a name is told of it "
    "by `EKIDEN_GATEWAY_NAMES`; with keys any name will do.",
)
STALE_FORM = Kind(
    "stale-form",
    403,
    "This form is of an earlier visit",
    "A form of the web page came without the word that this visit's pages carry: the page was open since before you "
    "signed in or out, or another site made it. Nothing was changed.",
    "Open the page again and fill it in once more.",
)
UNKNOWN_SESSION = Kind(
    "unknown-session",
    404,
    "There is no such session",
    "No session of that id belongs to the caller. Another key's session is as unknown as none.",
    "Take the `sessionId` from the answer of `create`, or from the list of sessions.",
)
UNKNOWN_TASK = Kind(
    "unknown-task",
    404,
    "The session has no such task",
    "The session is there, and no task of that id is in its ledger.",
    "Take the id from the session's list of tasks, or from `asyncTasks` of its status.",
)
UNKNOWN_DRAFT = Kind(
    "unknown-draft",
    404,
    "The session has no such draft",
    "The session has no draft of that concept number; before it has completed it has none at all.",
    "List the drafts. If there are none, wait until the session is COMPLETED.",
)
UNKNOWN_WORKFLOW = Kind(
    "unknown-workflow",
    404,
    "There is no such workflow",
    "The gateway has read no workflow of that name.",
    "List the workflows. One of your own is read from `EKIDEN_WORKFLOWS_DIR` when the gateway starts.",
)
UNKNOWN_PROVIDER = Kind(
    "unknown-provider",
    404,
    "There is no such provider",
    "It is neither gpt, perplexity nor one that `EKIDEN_PROVIDERS` adds.",
    "List the providers.",
)
UNKNOWN_DEAD_LETTER = Kind(
    "unknown-dead-letter",
    404,
    "There is no such dead letter",
    "It was dropped, or forgotten some time after it was replayed, or never was.",
    "List the dead letters.",
)
UNKNOWN_KEY = Kind(
    "unknown-key",
    404,
    "There is no such API key",
    "No key of that id was ever made, or it is revoked where only an active one will do. Keys of the environment have "
    "no id.",
    "List the keys; with `revoked=true` also those that open nothing any more.",
)
UNKNOWN_SCHEDULE = Kind(
    "unknown-schedule",
    404,
    "There is no such schedule",
    "No schedule of that id belongs to the caller: it was deleted, or is another key's, or never was.",
    "List the schedules.",
)
UNKNOWN_WEBHOOK = Kind(
    "unknown-webhook",
    404,
    "There is no such webhook",
    "No webhook of that id belongs to the caller. Another key's webhook is as unknown as none.",
    "List the webhooks; that of a session is the `webhookId` of its answer.",
)
UNKNOWN_DELIVERY = Kind(
    "unknown-delivery",
    404,
    "The webhook has no such delivery",
    "The webhook is there, and nothing of that id was or is to be sent to it, or it was pruned with its session.",
    "List the webhook's deliveries.",
)
NO_GATE = Kind(
    "no-gate",
    404,
    "The session stands at no gate",
    "It has not come to one, has none ahead, or somebody has answered it.",
    "`async-status` says where the session is, and its events who answered which gate.",
)
UNKNOWN_LINK = Kind(
    "unknown-link",
    404,
    "There is no such link",
    "The link to a gate was not made by this Ekiden, or a part of it is missing.",
    "Open the link as it was sent, whole. Whoever sent it can make a new one.",
)
NOT_FOUND = Kind(
    "not-found",
    404,
    "There is nothing at this address",
    "The path is none of the API's.",
    "`/docs` lists all addresses; `/openapi.json` is the same for programs.",
)
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed",
    405,
    "This address does not take this method",
    "The path is right, and the method is not.",
    "Use one of the methods in the `Allow` header.",
)
CONFLICT = Kind(
    "conflicting-state",
    409,
    "The session's state does not allow this",
    "The command makes no sense where the session stands. Nothing was changed. `sessionStatus` and `waitingReason` say "
    "where that is.",
    "Say one of `whatWorks`: each entry has the method and the address, and the likeliest is the first.",
)
SCHEDULE_NOT_FIRED = Kind(
    "schedule-not-fired",
    409,
    "The schedule begins nothing now",
    "A session of it is not over and its overlap policy says to skip, or to queue and one waits already; or what is "
    "left of its budget for the month is less than one session may cost. Nothing was begun.",
    "`detail` says which. Wait for the session or cancel it; or raise the budget of the schedule.",
)
REQUEST_RUNNING = Kind(
    "request-running",
    409,
    "A request of this Idempotency-Key is still being answered",
    "Requests of one key are answered one after the other, and the one before this has not been answered for seconds.",
    "Send the same request again after `Retry-After`: it gets the answer of the first.",
    again_seconds=2,
)
TWO_KEYS = Kind(
    "two-keys",
    409,
    "The client has two active API keys",
    "A client has at most two active keys, those of `EKIDEN_API_KEYS` included: the one it uses, and the next.",
    "Revoke the one that is not used any more; `lastUsedAt` tells which that is. `whatWorks` names the address.",
)
LAST_ADMIN = Kind(
    "last-admin-key",
    409,
    "Nobody would be left who can manage keys",
    "It is the last key with the scopes `write` and `admin`, or the first key of all and lacks one of them.",
    "Make one with the scopes `read`, `write` and `admin` first. When none is left: `EKIDEN_API_KEYS`.",
)
KEY_MADE_BEFORE = Kind(
    "key-made-before",
    409,
    "This request made an API key before",
    "The Idempotency-Key belongs to a request that made the key which `detail` names. Its secret was in that answer "
    "only; nobody can show it again, and no second key was made.",
    "If the answer was lost, revoke that key and make another one with a new Idempotency-Key.",
)
NOT_REPLAYABLE = Kind(
    "not-replayable",
    409,
    "The dead letter cannot be replayed",
    "It came from no work queue, only the beginning of its body was kept, or somebody replays it at this moment.",
    "`detail` says which. What a session waits for is sent again by its own `recover`.",
)
WEBHOOK_DISABLED = Kind(
    "webhook-disabled",
    409,
    "The webhook is disabled",
    "Nothing is sent to it: its owner disabled it, its receiver answered 410, or nothing has arrived for days.",
    '`disabledBecause` says which. Mend the receiver, then enable the webhook: `PATCH` with `{"enabled": true}`.',
)
WEBHOOK_OF_SESSIONS = Kind(
    "webhook-of-sessions",
    409,
    "The webhook's address is what its sessions name",
    "It hears of the sessions that were created with its address as `webhookUrl`, and has no other.",
    "Name another `webhookUrl` when you create sessions, or make a webhook of your own for all of them.",
)
TOO_MANY_WEBHOOKS = Kind(
    "too-many-webhooks",
    409,
    "There are too many webhooks",
    "One owner can have a hundred, because each makes a delivery of everything that happens; and his sessions can name "
    "ten thousand addresses. Nothing was stored.",
    "Delete one that is not needed any more. What only sessions named goes with the last of them.",
)
TOO_MANY_SCHEDULES = Kind(
    "too-many-schedules",
    409,
    "There are too many schedules",
    "One owner can have a hundred, those that are paused included. Nothing was stored.",
    "Delete one that is not needed any more: its sessions stay.",
)
SESSION_TOO_LARGE = Kind(
    "session-too-large",
    409,
    "The session cannot grow any more",
    "The session's document would outgrow 8 MiB. Nothing was changed.",
    "Begin a new one: `recover` with `restart_session` takes over its input.",
)
LINK_EXPIRED = Kind(
    "link-expired",
    410,
    "The link is too old",
    "A link to a gate holds until a time. The gate is still closed. Nothing was changed.",
    "Ask whoever sent it for a new one.",
)
LINK_SPENT = Kind(
    "link-spent",
    410,
    "The link has done its work",
    "A link answers one gate once. That gate was answered, by this link or otherwise, or the session is no longer "
    "there. Nothing was changed.",
    "`detail` says what became of the gate. Where it is closed again, that takes a new link.",
)
CHANGED_MEANWHILE = Kind(
    "changed-meanwhile",
    412,
    "It was changed by somebody else",
    "The request had an `If-Match`, and what it names is not the present state. Nothing was changed.",
    "Get it again, look at what has changed, and send your change with the new `ETag`.",
)
TOO_LARGE = Kind(
    "body-too-large",
    413,
    "The body is larger than 256 KiB",
    "The limit holds for every request, whether it tells its length or not.",
    "Send less: 20 items, a draft of 50,000 characters and 50 metadata entries all fit.",
)
INVALID = Kind(
    "invalid-request",
    422,
    "The request is malformed",
    "A field, a parameter or a header is missing, unknown, of the wrong type or out of range, or the body is no JSON.",
    "`errors` names every mistake with its field.",
)
KEY_REUSED = Kind(
    "idempotency-key-reused",
    422,
    "The Idempotency-Key belongs to another request",
    "The key was given to a request with another body before.",
    "A new request needs a new key; the same request must be repeated as it was.",
)
TOO_MANY_REQUESTS = Kind(
    "too-many-requests",
    429,
    "The client makes too many requests",
    "Requests that change something count, at all gateways together; reading never does. Nothing was done. `RateLimit` "
    "says in every answer how many are left.",
    "Send it again after `Retry-After`, with a little chance added. Repeating what was carried out is never refused.",
    again_seconds=1,
)
TOO_MANY_SESSIONS = Kind(
    "too-many-sessions",
    429,
    "The client has as many sessions as it may",
    "Sessions count from their start to their end, those that wait for a person, too. Nothing was started; what runs "
    "goes on.",
    "Ask again after `Retry-After`, or end a session that waits: `GET …/?status=WAITING` lists them.",
    again_seconds=15,
)
INTERNAL = Kind(
    "internal-error",
    500,
    "The gateway has a bug",
    "An error that nobody has foreseen. What was asked may or may not have been stored.",
    "Look for the `requestId` in the gateway's log, and report it.",
)
UNAVAILABLE = Kind(
    "unavailable",
    503,
    "The database does not answer",
    "Nothing is promised that is not known to be stored. While only the broker is away this is not answered: what is "
    "stored is sent later.",
    "Ask again after `Retry-After`, with the same `Idempotency-Key` where there is one: it is done once.",
    again_seconds=2,
)
AT_CAPACITY = Kind(
    "at-capacity",
    503,
    "Too much is queued",
    "So many tasks wait for a provider that no session begins for now. Nothing was started; what runs goes on.",
    "Ask again after `Retry-After`, which is how long the queue will take to be short enough; add a little chance.",
    again_seconds=30,
)
BROKER_AWAY = Kind(
    "broker-away",
    503,
    "The broker does not answer",
    "A dead letter can only be replayed into a broker that answers. Nothing was sent or marked.",
    "Ask again after `Retry-After`.",
    again_seconds=2,
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in list(globals().values()) if isinstance(kind, Kind)}
