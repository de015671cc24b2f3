"""Ask the approvers of one environment, wait for days, remind once, and come back with what they decided."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.close_approval import close_approval
from activities.look_at_approval import look_at_approval
from activities.remind_approvers import remind_approvers
from domain.approvals import Decision, decide, doorbell
from domain.models import ApprovalRequest, Vote
from domain.promotion import Known, is_news
from domain.wire import read
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()

LOOKS_PER_GENERATION = 48


@bp.orchestration_trigger(context_name="context")
def approval(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"decision": approved | rejected | expired, "votes": [Vote], "digest"}, or {"decision": "news"}.

    Input: {"request": the ApprovalRequest that `open_approval` stored, "where": what `look_around` wants, "known": what
    the evidence says} and, from the generation before, {"reminded"}. News is what the evidence does not know yet.
    Events only ring: what counts is in blobs, so an event that is lost, early or doubled costs time only.
    """
    work = context.get_input()
    request, known = read(ApprovalRequest, work["request"]), read(Known, work["known"])
    where = {"release": request.release, "environment": request.environment}
    reminded = bool(work.get("reminded"))
    expires, remind = datetime.fromisoformat(request.expires_at), datetime.fromisoformat(request.remind_at)
    rings = [
        context.wait_for_external_event(doorbell(request.environment, number))
        for number in range(len(request.approvers))
    ]
    for _ in range(LOOKS_PER_GENERATION):
        seen = yield context.call_activity_with_retry(look_at_approval, PATIENTLY, work["where"])
        if is_news(known, seen["around"]):
            return {"decision": "news"}
        now = context.current_utc_datetime
        if decide(request, [read(Vote, vote) for vote in seen["votes"]]) is not Decision.OPEN or now >= expires:
            return (yield context.call_activity_with_retry(close_approval, PATIENTLY, where))
        if now >= remind and not reminded:
            yield context.call_activity_with_retry(remind_approvers, PATIENTLY, where)
            reminded = True
        # A timer of days would stay open on Azure after the decision: the SDK splits long ones and then does not
        # cancel them.
        look = now + timedelta(seconds=request.look)
        alarm = context.create_timer(min(look, expires if reminded else min(remind, expires)))
        woken = yield context.task_any([alarm, *rings])
        if woken is not alarm:
            alarm.cancel()
            rings.remove(woken)
    context.continue_as_new({**work, "reminded": reminded})
    return None
