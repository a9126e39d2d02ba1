"""Every log event in one place: its name, its level and what it means. One past-tense event is one line.

A test compares this table with the calls: what is logged is here, under its level, and what is here is logged.
`session_id`, `task_id` and `request_id` are bound to whatever is said while one is handled, `trace_id` and `span_id`
while it is traced.
"""

from collections.abc import Mapping

CRITICAL: Mapping[str, str] = {
    "process_crashed": "An error nobody had expected ended the process; the stack starts it again.",
}

ERROR: Mapping[str, str] = {
    "adapter_crashed": "A bug in what speaks to a provider; the call's outcome counts as unknown.",
    "answer_not_stored": "The database refuses to take an answer as it is; the task ends without it, and is booked.",
    "breaker_opened": "Calls to a provider are held back, and why; a probe or a person closes it.",
    "call_crashed": "A bug around a call; its outcome counts as unknown.",
    "connecting_crashed": "A bug while the gateway connected to the broker; it goes on trying.",
    "dead_letter_not_stored": "A bug while a dead letter was stored; it is tried again with the same one.",
    "gate_crashed": "A bug in the provider's shared state; the answer it was told of is kept.",
    "healing_crashed": "A bug while lost consumers were looked for; it goes on.",
    "listening_crashed": "A bug in the live updates; they begin anew.",
    "message_buried": "A message nobody could handle went to the dead letters, and why.",
    "loop_crashed": "A bug in the loop of the orchestrator that `loop` names; it goes on in two seconds.",
    "message_crashed_its_handler": "A bug while a message was handled; it becomes a dead letter unless it was taken.",
    "preparing_crashed": "A bug while the gateway prepared the database; it goes on trying.",
    "provider_state_crashed": "A bug while a provider's shared state was read; the last one known holds.",
    "renewal_crashed": "A bug while leases were renewed; nothing new is started until one comes through.",
    "request_failed": "A bug while a request was answered; the client was told its requestId.",
    "schedule_not_fired": "A bug, or what a schedule has become, kept its tick from being decided or carried out.",
    "schedule_not_read": "A schedule's document cannot be read, by a bug or because a newer version wrote it.",
    "session_not_read": "A session's document cannot be read, by a bug or because a newer version wrote it.",
    "session_not_reconciled": "A bug while one session was repaired; it holds up no other.",
    "session_stalled": "A session stood still and waited for nothing: a bug of ours. It was resumed; `cause` says why.",
    "synchronising_crashed": "A bug while the database was asked for its time.",
    "webhooks_crashed": "A bug in what sends webhooks' deliveries; it is sent again when its claim runs out.",
    "workflow_check_crashed": "A bug while a workflow was checked; its author was told so, and to report it.",
    "work_crashed": "A bug in a worker behind a call; the task's lease runs out and recovers it.",
}

WARNING: Mapping[str, str] = {
    "announcement_lost": "The broker did not take a task's event; the reconciler finds the task by when it ended.",
    "announcement_postponed": "The broker did not take a command; the reconciler sends it when it is due.",
    "breaker_closed": "The provider answered a probe: calls pass again.",
    "breaker_closed_by_a_person": "A person let calls to a provider pass again.",
    "breaker_opened_by_a_person": "A person held calls to a provider back.",
    "broker_not_reached": "The gateway has no broker; what it accepts is stored and sent later.",
    "call_failed": "A call brought no answer: the error, what is known of its cost, and what is done about it.",
    "cap_exceeded": "A call cost more than was reserved for it; it is booked as it is.",
    "consumer_not_healed": "The broker did not answer while a lost consumer was to be brought back.",
    "consumer_subscribed_again": "A queue had lost our consumer, and has one again.",
    "cool_down_began": "A provider asked to be left alone: all of its workers wait for so many seconds.",
    "database_not_reached": "The gateway has no database; requests are answered with 503.",
    "dead_letter_kept": "A dead letter was taken from its queue into the database, where a person can read it.",
    "field_refused": "A server does not take a field of our requests: it is left out from now on, and asked otherwise.",
    "lease_ran_out": "A task was taken from a worker that no longer renews it; `at_risk` is what may be paid twice.",
    "leases_not_renewed": "The database did not answer a renewal; after six seconds nothing new is started.",
    "library_logged": "A library's own log line, under its logger's name; `level` is what it says.",
    "message_kept": "The database did not answer; the message is held and tried again in place.",
    "missing_tasks_created": "A session waited for tasks the ledger did not have.",
    "outcome_left_unknown": "Nobody can say whether a call was bought: a person decides; `at_risk` is its price.",
    "price_not_found": "No list has this model's price: its calls are booked at their caps. See EKIDEN_GPT_PRICES.",
    "provider_state_not_saved": "The database did not take what happened at a provider.",
    "request_answered": "A request was answered with a server error.",
    "loop_postponed": "Broker or database did not answer the orchestrator's loop `loop`; it goes on in two seconds.",
    "save_postponed": "The database did not take a provider's answer; it is tried for as long as the process lives.",
    "schedule_kept_its_workflow": "A workflow's newest version does not take what a schedule asks; it keeps its own.",
    "schedule_ticks_missed": "Nobody looked while ticks were due; they are older than the catch-up window.",
    "sending_postponed": "What follows from a saved decision could not be sent; the reconciler does it.",
    "start_postponed": "Broker or database did not answer at the start; it is tried again twice a second.",
    "webhook_delivery_failed": "The last attempt to deliver has failed; its owner may replay it.",
    "webhook_disabled": "Nothing is sent to a webhook any more, and why; its owner may enable it again.",
    "webhooks_postponed": "The database did not take how a delivery ended; it is sent again when its claim runs out.",
}

INFO: Mapping[str, str] = {
    "ack_lost": "An acknowledgement did not arrive; the message comes again, which changes nothing.",
    "api_key_created": "A key was made for a client, by whom and with which scopes.",
    "api_key_limited": "A client's quota was changed, by whom.",
    "api_key_revoked": "A key was ended, by whom; all gateways refuse it within seconds.",
    "breaker_probed": "One call was let through an open breaker, to see whether the provider is back.",
    "cancel_failed": "Asking a provider to stop a run did not get through; it is tried again.",
    "cancel_refused": "A run to be stopped had ended by itself.",
    "dead_letters_pruned": "Dead letters older than what is kept were removed.",
    "telling_not_noted": "The database did not answer; these tasks are told of once more, which changes nothing.",
    "webhooks_pruned": "Addresses that no session names any more were removed.",
    "gateway_began": "Schema and workflows are in the database: sessions can be created.",
    "poll_failed": "Asking for a run's answer did not get through; it is asked again.",
    "reject_lost": "A rejection did not arrive; the message comes again.",
    "repaired": "The reconciler moved a session that nobody else had moved; `cause` says what was missed.",
    "run_accepted": "A provider took a search on under this id: from now on it is collected, never sent again.",
    "run_cancelled": "A provider stopped a run that we asked it to stop.",
    "schedule_fired": "A tick of a schedule, or a person's order, begins a session.",
    "schedule_queued": "A tick waits for the session that runs.",
    "schedule_skipped": "Ticks began nothing, and why.",
    "schedule_moved_to_workflow": "A schedule follows the newest version of its workflow.",
    "service_started": "Broker and database answer, and work begins.",
    "service_stopped": "All that was under way is finished or given back.",
    "session_pruned": "A session that ended long ago was removed, with what it had cost.",
    "stop_requested": "SIGTERM or SIGINT came: nothing new is taken on.",
    "task_completed": "A task has its answer, with what it cost.",
    "task_released": "A search was given back at a stop, for another worker to collect.",
}

DEBUG: Mapping[str, str] = {
    "clock_not_synchronised": "The database did not answer when asked for its time; ours is carried on.",
    "live_update_lost": "A live view was not told that a session moved; it looks by itself.",
    "live_update_not_decoded": "Something that is no live update of ours came to the gateway's queue.",
    "live_updates_interrupted": "The gateway does not listen for live updates; views look by themselves.",
    "probe_failed": "Whoever asked for health or metrics hung up, or did not speak HTTP.",
    "provider_state_not_read": "The database did not answer when asked how a provider is; the last state known holds.",
}

LEVELS: Mapping[str, Mapping[str, str]] = {
    "critical": CRITICAL,
    "error": ERROR,
    "warning": WARNING,
    "info": INFO,
    "debug": DEBUG,
}
