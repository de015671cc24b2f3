"""Somebody asks for an evaluation: see whether they may, answer with a link, evaluate."""

from __future__ import annotations

from dataclasses import asdict

import azure.durable_functions as df

from activities.answer_ask import answer_ask
from activities.look_at_ask import look_at_ask
from domain import asks
from domain import messages_schedules as words
from domain.asks import Standing
from domain.git_flow import Ask, evaluation_id
from domain.wire import read
from orchestrators.commits import Steps, ask_github
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def asked(context: df.DurableOrchestrationContext) -> Steps:
    """Return {"state", "reason"}: how the evaluation ended, "refused", or "ignored" for a bot. Input: an Ask."""
    ask = read(Ask, context.get_input())
    if asks.is_bot(ask.by):
        return {"state": "ignored", "reason": f"what {ask.by} writes starts nothing"}
    found = yield from ask_github(context, look_at_ask, {"ask": asdict(ask)})
    about = {"ask": asdict(ask), "at": context.current_utc_datetime.isoformat()}
    standing = read(Standing, found["standing"]) if "standing" in found else None
    objection = asks.objection(ask, standing) if standing else words.cannot_answer(ask.by, found["error"])
    if objection or standing is None:
        yield context.call_activity_with_retry(answer_ask, PATIENTLY, {**about, "objection": objection})
        return {"state": "refused", "reason": objection}
    request = asks.requested(ask, standing)
    yield context.call_activity_with_retry(answer_ask, PATIENTLY, {**about, "request": asdict(request)})
    return (yield context.call_sub_orchestrator("scheduled_evaluation", asdict(request), evaluation_id(request)))
