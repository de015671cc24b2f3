"""An evaluation that is no part of a release: after a push to develop, or because somebody asked for it.

A full one pays what its commit owes.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from activities.list_debts import list_debts
from activities.take_debt import take_debt
from activities.tell_evaluation import tell_evaluation
from domain import messages
from domain import messages_schedules as words
from domain.commands import FULL, KINDS
from domain.config import Config
from domain.git_flow import evaluation_id
from domain.models import Debt, DebtState, EvaluationRequest
from domain.nightly import Payment
from domain.schedules import CANCELLED, CONTINUOUS, ERROR, RUNNING, running_instance
from domain.wire import read
from orchestrators.commits import Steps, order, read_commit
from orchestrators.payment import settle
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def scheduled_evaluation(context: df.DurableOrchestrationContext) -> Steps:
    """Return {"state", "reason"}: how it ended, "off" when the repository wants none. Input: an EvaluationRequest.

    Whoever asked hears of every end, also of a crash.
    """
    request = read(EvaluationRequest, context.get_input())
    try:
        news = yield from _evaluate(context, request)
    except Exception as error:
        yield _tell(context, request, {"state": ERROR, "reason": messages.crashed(error)})
        raise
    if news["state"] != "off":
        yield _tell(context, request, news)
    context.set_custom_status({**_stage(request), "stage": news["state"], "headline": news.get("reason", "")})
    return {"state": news["state"], "reason": news.get("reason", "")}


def _evaluate(context: df.DurableOrchestrationContext, request: EvaluationRequest) -> Steps:
    """Return the news that ends it."""
    if request.kind not in KINDS:
        return {"state": ERROR, "reason": words.unknown_kind(request.kind)}
    context.set_custom_status({**_stage(request), "since": context.current_utc_datetime.isoformat()})
    commit = yield from read_commit(context, request.repository, request.sha)
    if "error" in commit:
        return {"state": ERROR, "reason": commit["error"]}
    config = Config.model_validate(commit["config"])
    if request.source == CONTINUOUS and config.schedule.mode != CONTINUOUS:
        return {"state": "off", "reason": words.NOT_CONTINUOUS}
    yield _tell(context, request, {"state": RUNNING})
    name = evaluation_id(request)
    wanted = order(name, request.kind, request.kind, request.repository, request.sha, commit)
    result = yield context.call_sub_orchestrator("evaluation", wanted, running_instance(name))
    if "summary" in result:
        if request.kind == FULL:
            yield from _pay(context, request, result)
        return {"state": result["summary"]["verdict"], "summary": result["summary"]}
    if result.get("cancelled"):
        return {"state": CANCELLED, "reason": words.WAS_CANCELLED}
    return {"state": ERROR, "reason": result["error"]}


def _pay(context: df.DurableOrchestrationContext, request: EvaluationRequest, result: dict[str, Any]) -> Steps:
    """Let the verdict settle what the commit owes, unless somebody else pays it: then theirs does."""
    listing = {"repository": request.repository}
    owed = (yield context.call_activity_with_retry(list_debts, PATIENTLY, listing))["debts"]
    for wire in (one for one in owed if one["commit"] == request.sha):
        taking = {"debt": wire, "payer": context.instance_id}
        if (yield context.call_activity_with_retry(take_debt, PATIENTLY, taking))["debt"]:
            payment = Payment(wire["release"], request.sha, evaluation_id(request), DebtState.PAYING, "")
            yield from settle(context, read(Debt, wire), payment, result)


def _tell(context: df.DurableOrchestrationContext, request: EvaluationRequest, news: dict[str, Any]) -> Any:
    at = context.current_utc_datetime.isoformat()
    payload = {"request": asdict(request), "at": at, **news}
    return context.call_activity_with_retry(tell_evaluation, PATIENTLY, payload)


def _stage(request: EvaluationRequest) -> dict[str, Any]:
    return {"stage": f"evaluate-{request.kind}", "repository": request.repository, "commit": request.sha}
