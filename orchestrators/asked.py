"""Somebody asks for an evaluation, or for checks to run again: see whether they may, answer, do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import azure.durable_functions as df
from azure.durable_functions.models.Task import TaskBase

from activities.answer_ask import answer_ask
from activities.claim_run import claim_run
from activities.look_at_ask import look_at_ask
from domain import asks
from domain import messages_schedules as words
from domain.asks import Standing
from domain.commands import HELP
from domain.git_flow import ALL, Ask, ask_id, change_id, evaluation_id
from domain.models import ChangeRequest
from domain.wire import read
from orchestrators.commits import Steps
from orchestrators.patience import FOR_AN_EVALUATION, ask_github
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()

ALREADY = {"state": "ignored", "reason": "it runs already"}


@bp.orchestration_trigger(context_name="context")
def asked(context: df.DurableOrchestrationContext) -> Steps:
    """Return {"state", "reason"}: how what was asked for ended, or why it did not begin. Input: an Ask."""
    ask = read(Ask, context.get_input())
    if asks.is_bot(ask.by):
        return {"state": "ignored", "reason": f"what {ask.by} writes starts nothing"}
    found = yield from ask_github(context, look_at_ask, {"ask": asdict(ask)}, FOR_AN_EVALUATION)
    about = {"ask": asdict(ask), "at": context.current_utc_datetime.isoformat()}
    standing = read(Standing, found["standing"]) if "standing" in found else None
    objection = asks.objection(ask, standing) if standing else words.cannot_answer(ask.by, found["error"])
    if objection or standing is None:
        refused = standing is not None and ask.kind != HELP
        answer = {**about, "objection": objection, "refused": refused}
        yield context.call_activity_with_retry(answer_ask, PATIENTLY, answer)
        return {"state": "refused", "reason": objection}
    if ask.kind == ALL:
        return (yield from _run_each(context, asks.each(ask, standing)))
    if standing.validation:
        return (yield from _validate(context, standing.validation))
    request = asks.requested(ask, standing)
    name = evaluation_id(request)
    if ask.check and not (yield _claim(context, name)):
        return ALREADY
    yield context.call_activity_with_retry(answer_ask, PATIENTLY, {**about, "request": asdict(request)})
    return (yield context.call_sub_orchestrator("scheduled_evaluation", asdict(request), name))


def _validate(context: df.DurableOrchestrationContext, change: ChangeRequest) -> Steps:
    if not (yield _claim(context, change_id(change))):
        return ALREADY
    return (yield context.call_sub_orchestrator("pull_request", asdict(change), change_id(change)))


def _run_each(context: df.DurableOrchestrationContext, wanted: Sequence[Ask]) -> Steps:
    """Press Re-run on each check, all at once; somebody may have pressed one of them already."""
    pressed = []
    for ask in wanted:
        if (yield _claim(context, ask_id(ask))):
            pressed.append(context.call_sub_orchestrator("asked", asdict(ask), ask_id(ask)))
    if not pressed:
        return ALREADY
    ended = yield context.task_all(pressed)
    return {"state": "over", "reason": ", ".join(one["state"] for one in ended)}


def _claim(context: df.DurableOrchestrationContext, name: str) -> TaskBase:
    """Find out whether a child is this story's to run: an event, or another story, may have started it."""
    claim = {"instance": name, "story": context.instance_id}
    return context.call_activity_with_retry(claim_run, PATIENTLY, claim)
