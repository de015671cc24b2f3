"""Ask the approvers of one environment, wait for days, remind once, and come back with what they decided."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime
from typing import Any

import azure.durable_functions as df

from activities.close_approval import close_approval
from activities.read_votes import read_votes
from activities.remind_approvers import remind_approvers
from domain.approvals import Decision, decide, doorbell
from domain.models import ApprovalRequest, Vote
from domain.wire import read
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"decision": approved | rejected | expired, "votes": [Vote], "detail": str}.

    Input: the ApprovalRequest that `open_approval` stored. Events only ring: what counts are the votes in blobs, so an
    event that is lost, early or doubled changes nothing but the time at which the votes are read.
    """
    request = read(ApprovalRequest, context.get_input())
    context.set_custom_status({"stage": f"approve-{request.environment}", "until": request.expires_at})
    deadline = context.create_timer(datetime.fromisoformat(request.expires_at))
    reminder = context.create_timer(datetime.fromisoformat(request.remind_at))
    rings = [
        context.wait_for_external_event(doorbell(request.environment, number))
        for number in range(len(request.approvers))
    ]
    waiting = [deadline, reminder, *rings]
    while True:
        woken = yield context.task_any(waiting)
        waiting.remove(woken)
        found = yield context.call_activity_with_retry(read_votes, PATIENTLY, context.get_input())
        votes = [read(Vote, vote) for vote in found]
        decision = decide(request, votes)
        if decision is not Decision.OPEN or woken is deadline:
            break
        if woken is reminder:
            yield context.call_activity_with_retry(remind_approvers, PATIENTLY, context.get_input())
    for timer in (deadline, reminder):
        if timer in waiting:
            timer.cancel()
    outcome = "expired" if decision is Decision.OPEN else decision.value
    where = {"release": request.release, "environment": request.environment}
    yield context.call_activity_with_retry(close_approval, PATIENTLY, {**where, "decision": outcome})
    return {"decision": outcome, "votes": found}
