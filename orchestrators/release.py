"""One commit on its way to production, told from beginning to end."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from typing import Any, NoReturn

import azure.durable_functions as df
from azure.durable_functions.models.Task import TaskBase, TaskState

from activities.cancel_evaluation import cancel_evaluation
from activities.enter_lane import enter_lane
from activities.fetch_snapshot import fetch_snapshot
from activities.find_origin import find_origin
from activities.keep_baseline import keep_baseline
from activities.leave_lane import leave_lane
from activities.look_around import look_around
from activities.open_approval import open_approval
from activities.plan_validation import plan_validation
from activities.read_config import read_config
from activities.record_debt import record_debt
from activities.settle_debt import settle_debt
from activities.take_debt import take_debt
from domain import debts, messages, messages_promotion, opt_out, timeline
from domain.config import Environment
from domain.lanes import Answer
from domain.models import (
    Debt,
    DebtState,
    Deployment,
    EvaluationSummary,
    Image,
    Origin,
    Outcome,
    Override,
    ReleaseRequest,
    Snapshot,
    StageState,
    Verdict,
    Vote,
)
from domain.promotion import is_news, known_by, read_around, withdrawn
from domain.wire import read
from orchestrators.story import Ended, Story

bp = df.Blueprint()
Steps = Generator[Any, Any, Any]

STATE_OF_DECISION = {
    "approved": StageState.PASSED,
    "rejected": StageState.REJECTED,
    "expired": StageState.EXPIRED,
}
OUTCOME_OF_DECISION = {"rejected": Outcome.REJECTED, "expired": Outcome.EXPIRED}


@bp.orchestration_trigger(context_name="context")
def release(context: df.DurableOrchestrationContext) -> Steps:
    """Carry one commit across, and return how that ended. Input: a ReleaseRequest.

    Whatever goes wrong, the people waiting for this release hear of it; the instance itself then shows the error.
    """
    story = Story(context, read(ReleaseRequest, context.get_input()))
    crash: Exception | None = None
    try:
        yield from _cross(story)
        yield from _keep_baseline(story)
        outcome, reason = Outcome.RELEASED, messages.released(story.record, story.config.environments[-1].name)
    except Ended as end:
        outcome, reason = end.outcome, end.reason
    except Exception as error:
        crash = error
        outcome, reason = Outcome.FAILED, messages.crashed(error)
    yield from story.close(outcome, reason)
    if crash:
        raise crash
    return {"outcome": outcome, "reason": reason}


def _cross(story: Story) -> Steps:
    yield from _prepare(story)
    yield from _validate(story)
    yield from _evaluate_minimal(story)
    yield from _first_environment_beside_full_evaluation(story)
    yield from _override_if_needed(story)
    for environment in story.config.environments[1:]:
        yield from _promote(story, environment)


def _prepare(story: Story) -> Steps:
    """Find out what this commit is and what its own config asks for."""
    yield from story.publish(timeline.PREPARE)
    request = story.request
    where = {"repository": request.repository, "sha": request.sha}
    try:
        fetched = yield from story.ask_github(fetch_snapshot, where)
        story.snapshot = read(Snapshot, fetched["snapshot"]).sha256
        found = yield story.act(read_config, {"snapshot": story.snapshot, "branch": request.branch})
        rule = found["config"]["opt_out"] if "config" in found else None
        about = {"release": story.record.id, **where, "before": request.before, "branch": request.branch, "rule": rule}
        story.know_origin(read(Origin, (yield from story.ask_github(find_origin, about))["origin"]))
        if "error" in found:
            raise Ended(Outcome.FAILED, found["error"])
    except Ended as end:
        yield from story.end(timeline.PREPARE, StageState.FAILED, end.reason)
        raise
    story.plan(found["config"])
    yield from story.end(timeline.PREPARE, StageState.PASSED)


def _validate(story: Story) -> Steps:
    child = story.child("validate")
    yield from story.begin_stage(timeline.VALIDATE, child)
    plan = yield story.act(
        plan_validation, {"release": story.record.id, "snapshot": story.snapshot, "config": story.wire_config}
    )
    jobs = yield story.call("run_jobs", plan, child)
    failed = next((job for job in jobs if not job["ok"]), None)
    if failed:
        yield from story.end(timeline.VALIDATE, StageState.FAILED, failed["error"])
        raise Ended(Outcome.FAILED, messages.validation_failed(failed["error"]))
    yield from story.end(timeline.VALIDATE, StageState.PASSED)


def _evaluate_minimal(story: Story) -> Steps:
    child = story.child("minimal")
    yield from story.begin_stage(timeline.MINIMAL, f"{child}:shards")
    result = yield story.call("evaluation", story.evaluation_order("minimal", child), child)
    summary = yield from _judged(story, timeline.MINIMAL, result)
    if summary.verdict is Verdict.FAILED:
        raise Ended(Outcome.FAILED, messages.stopped_by_evaluation(summary))


def _first_environment_beside_full_evaluation(story: Story) -> Steps:
    """Build, then deploy to the first environment, while the full evaluation runs. Both end before anything goes on.

    What stops the deployment stops the release, but not before the full evaluation has ended: it is cancelled, since no
    verdict saves a commit that cannot be deployed. A verdict waits for the deployment, which is seen through.
    """
    full = yield from _begin_full_evaluation(story)
    step: TaskBase | None = yield from _begin_build(story)
    stopped: Exception | None = None
    while step or full:
        done = yield story.context.task_any([task for task in (step, full) if task])
        try:
            if done is full:
                full = None
                yield from _full_evaluation_ended(story, _result(done), bool(stopped))
            else:
                step = None
                step = yield from _next_step(story, _result(done))
        except Exception as error:
            stopped = stopped or error
            if full:
                yield story.act(cancel_evaluation, {"id": story.child("full")})
    if stopped:
        raise stopped


def _begin_full_evaluation(story: Story) -> Generator[Any, Any, TaskBase | None]:
    """Start it, unless every change opted out of it; then the release owes it from now on."""
    record, minimal = story.record, story.record.evaluations[0]
    if record.refused_opt_outs:
        refused = [(one.change, one.refused) for one in record.refused_opt_outs]
        story.note(messages_promotion.opt_outs_refused(refused))
    if opt_out.skips_full_evaluation(record.changes, record.opt_outs):
        if minimal.verdict is Verdict.PASSED and len(story.config.environments) > 1:
            yield from _owe(story)
            return None
        story.note(messages_promotion.opt_out_without_ground(minimal.verdict))
    elif record.opt_outs:
        story.note(messages.opt_out_of_some(record.opt_outs))
    return (yield from _evaluate_fully(story))


def _evaluate_fully(story: Story, detail: str = "") -> Generator[Any, Any, TaskBase]:
    child = story.another("full")
    yield from story.begin_stage(timeline.FULL, f"{child}:shards", detail)
    return story.call("evaluation", story.evaluation_order("full", child), child)


def _owe(story: Story) -> Steps:
    """Record the debt, and say who skipped the evaluation: it is never told as a passed one."""
    debt = debts.incur(story.record, story.config, story.now)
    kept = yield story.act(record_debt, {"debt": asdict(debt)})
    story.keep_debt(read(Debt, kept["debt"]))
    yield from story.end(timeline.FULL, StageState.SKIPPED, messages.skipped_because(story.record.opt_outs))


def _full_evaluation_ended(story: Story, result: dict[str, Any], stopped: bool) -> Steps:
    """Take in its verdict; who may override a bad one is asked when the deployment is over too."""
    if not result.get("cancelled"):
        yield from _judged(story, timeline.FULL, result)
    elif stopped or not (yield from _opted_out_late(story)):
        yield from story.end(timeline.FULL, StageState.CANCELLED)
        if not stopped:
            raise Ended(Outcome.FAILED, messages.could_not_evaluate(timeline.FULL, messages_promotion.CANCELLED))
    elif story.record.debt is None:
        yield from _owe(story)
    else:
        yield from story.end(timeline.FULL, StageState.SKIPPED, messages.skipped_because(story.record.opt_outs))


def _opted_out_late(story: Story) -> Generator[Any, Any, bool]:
    """Say whether every change opts out by now: a label may come while the evaluation runs."""
    seen = yield story.act(look_around, story.where(story.config.environments[0]))
    story.keep_opt_outs(read_around(seen).opt_outs)
    return opt_out.skips_full_evaluation(story.record.changes, story.record.opt_outs)


def _begin_build(story: Story) -> Generator[Any, Any, TaskBase]:
    yield from story.begin_stage(timeline.BUILD)
    order = {"snapshot": story.snapshot, "target": story.wire_config["target"], "commit": story.record.commit.sha}
    return story.call("build", order, story.child("build"))


def _next_step(story: Story, result: dict[str, Any]) -> Generator[Any, Any, TaskBase | None]:
    """Take in what building, waiting or deploying came to, and return what follows; None after the deployment."""
    first = story.config.environments[0]
    if "ok" in result:
        yield from _deployed(story, first, result)
        return None
    if "answer" in result:
        _entered(story, first, result)
        return (yield from _begin_deployment(story, first))
    if "error" in result:
        yield from story.end(timeline.BUILD, StageState.FAILED, result["error"])
        raise Ended(Outcome.FAILED, messages.build_failed(result["error"]))
    story.keep_image(read(Image, result["image"]))
    yield from story.end(timeline.BUILD, StageState.PASSED, messages.short_digest(result["image"]["digest"]))
    waiting = yield from _queue(story, first)
    return waiting or (yield from _begin_deployment(story, first))


def _promote(story: Story, environment: Environment) -> Steps:
    """Ask the environment's approvers, wait for its turn, then deploy the same image there.

    What changes while the release waits for its turn sends it back to the approvers, with the new evidence.
    """
    entered = False
    while not entered:
        yield from _approve(story, environment)
        waiting = yield from _queue(story, environment)
        if waiting:
            _entered(story, environment, (yield waiting))
        seen = yield story.act(look_around, story.where(environment))
        entered = not is_news(known_by(story.record), seen)
        if not entered:
            yield story.act(leave_lane, story.departure(environment, None))
    result = yield (yield from _begin_deployment(story, environment))
    yield from _deployed(story, environment, result)


def _approve(story: Story, environment: Environment) -> Steps:
    """Come back when the approvers have let the release through, on evidence that says all there is to say."""
    decision = "news"
    while decision == "news":
        yield from _take_in(story, environment)
        owes = environment is story.config.environments[-1] and debts.blocks_production(story.record.debt)
        if not environment.approvers and not owes:
            return
        needed = messages_promotion.votes_needed(environment, story.record.debt if owes else None)
        decided = yield from _ask(story, environment, timeline.approve(environment.name), needed)
        decision = decided["decision"]
    votes = _votes(story, environment, decided)
    stage = timeline.approve(environment.name)
    yield from story.end(stage, STATE_OF_DECISION[decision], messages.decided(votes))
    if decision in OUTCOME_OF_DECISION:
        raise Ended(OUTCOME_OF_DECISION[decision], messages.not_approved(environment.name, decision, votes))
    if owes:
        yield from _waive(story, environment, votes)


def _ask(story: Story, environment: Environment, stage: str, needed: str) -> Generator[Any, Any, dict[str, Any]]:
    """Put the evidence before people, and return what they decided, or that there is news."""
    child = story.another(stage)
    try:
        opened = yield from story.ask_github(open_approval, story.approval_order(environment, child))
    except Ended as end:
        yield from story.end(stage, StageState.FAILED, end.reason)
        raise
    if opened["voided"]:
        story.note(messages_promotion.new_evidence(environment.name, opened["voided"]))
    yield from story.begin_stage(stage, child, needed)
    order = {
        "request": opened["request"],
        "where": story.where(environment),
        "known": asdict(known_by(story.record)),
    }
    decided: dict[str, Any] = yield story.call("approval", order, child)
    return decided


def _votes(story: Story, environment: Environment, decided: dict[str, Any]) -> tuple[Vote, ...]:
    votes = tuple(read(Vote, vote) for vote in decided["votes"])
    story.keep_votes(environment.name, votes)
    story.digests[environment.name] = decided["digest"]
    return votes


def _take_in(story: Story, environment: Environment) -> Steps:
    """Bring the record up to date with the world: a newer release, a debt that was settled, an opt-out withdrawn."""
    seen = yield story.act(look_around, story.where(environment))
    around = read_around(seen)
    if around.superseded_by:
        _superseded(story, environment, around.superseded_by)
    gone = withdrawn(known_by(story.record), around)
    if gone:
        yield from _pay_debt(story, gone)
    elif around.debt and around.debt != story.record.debt:
        story.keep_debt(around.debt)
        if seen["summary"] and around.debt.state in {DebtState.PAID, DebtState.FAILED}:
            yield from _judged(story, timeline.FULL, {"summary": seen["summary"]})
    yield from _override_if_needed(story)


def _pay_debt(story: Story, gone: tuple[int, ...]) -> Steps:
    """Run the full evaluation after all: the opt-out was withdrawn. Nothing to do when somebody else pays already."""
    story.note(messages_promotion.withdrawn(gone))
    taken = yield story.act(take_debt, {"debt": asdict(story.debt), "payer": story.record.id})
    if taken["debt"] is None:
        return
    result = yield (yield from _evaluate_fully(story))
    if "summary" in result:
        summary = yield from _judged(story, timeline.FULL, result)
        yield from _settle(story, debts.paid_with(summary.verdict), story.record.id, summary.id)
        return
    yield from _settle(story, DebtState.OPEN, story.record.id)
    yield from _full_evaluation_ended(story, result, stopped=False)


def _waive(story: Story, environment: Environment, votes: tuple[Vote, ...]) -> Steps:
    """The approvers let the release through without its full evaluation, each in so many words."""
    names = [vote.principal for vote in votes if vote.waives]
    yield from _settle(story, DebtState.WAIVED, ", ".join(names), digest=story.digests[environment.name])
    yield from story.publish(timeline.FULL)


def _settle(story: Story, state: DebtState, by: str, evaluation: str = "", digest: str = "") -> Steps:
    order = {"debt": asdict(story.debt), "state": state, "by": by, "at": story.now, "evaluation": evaluation}
    settled = yield story.act(settle_debt, {**order, "detail": "", "evidence": digest})
    story.keep_debt(read(Debt, settled["debt"]))


def _override_if_needed(story: Story) -> Steps:
    """A full evaluation that did not pass ends the release, unless a person named for it takes that on."""
    summary, known = story.full_evaluation(), {override.evaluation for override in story.record.overrides}
    if summary is None or summary.verdict is Verdict.PASSED or summary.id in known:
        return
    rule = story.config.override
    if not rule.people:
        raise Ended(Outcome.FAILED, messages_promotion.no_override(summary))
    story.record = timeline.add_stage(story.record, timeline.OVERRIDE, after=timeline.FULL)
    people = Environment(name=timeline.OVERRIDE, approvers=rule.people, expires_after=rule.expires_after)
    decided = yield from _ask(story, people, timeline.OVERRIDE, messages_promotion.needs_override(summary, rule.people))
    if decided["decision"] == "news":
        yield from _take_in(story, people)
        return
    votes = _votes(story, people, decided)
    if decided["decision"] != "approved":
        reason = messages_promotion.not_overridden(summary, decided["decision"], votes)
        yield from story.end(timeline.OVERRIDE, STATE_OF_DECISION[decided["decision"]], reason)
        raise Ended(Outcome.FAILED, reason)
    for vote in votes:
        story.keep_override(
            Override(summary.id, summary.verdict, vote.principal, vote.comment, vote.at, decided["digest"])
        )
    yield from story.end(
        timeline.OVERRIDE, StageState.PASSED, messages_promotion.overridden(story.record.overrides[-1])
    )


def _queue(story: Story, environment: Environment) -> Generator[Any, Any, TaskBase | None]:
    """Ask for a turn in the environment. Returns None when the release is in, else the child that waits, visibly."""
    order = story.lane_order(environment)
    entry = yield story.act(enter_lane, order)
    if entry["answer"] != Answer.WAITS:
        _entered(story, environment, entry)
        return None
    child = story.another(f"lane-{environment.name}")
    yield from story.begin_stage(timeline.deploy(environment.name), child, entry["why"])
    return story.call("lane", order, child)


def _entered(story: Story, environment: Environment, entry: dict[str, Any]) -> None:
    if entry["answer"] == Answer.SUPERSEDED:
        _superseded(story, environment, entry["by"])


def _superseded(story: Story, environment: Environment, newer: str) -> NoReturn:
    story.supersede(newer)
    raise Ended(Outcome.SUPERSEDED, messages_promotion.superseded_reason(environment.name, newer))


def _begin_deployment(story: Story, environment: Environment) -> Generator[Any, Any, TaskBase]:
    stage = timeline.deploy(environment.name)
    yield from story.begin_stage(stage, story.child(stage))
    return story.call("deployment", story.deployment_order(environment), story.child(stage))


def _deployed(story: Story, environment: Environment, result: dict[str, Any]) -> Steps:
    stage = timeline.deploy(environment.name)
    deployment = read(Deployment, result["deployment"]) if result["ok"] else None
    yield story.act(leave_lane, story.departure(environment, deployment))
    if deployment is None:
        yield from story.end(stage, StageState.FAILED, result["detail"])
        raise Ended(Outcome.FAILED, messages.deployment_failed(environment.name, result["detail"]))
    story.record = timeline.add_deployment(story.record, deployment)
    yield from story.end(stage, StageState.PASSED, result["detail"], deployment.url)


def _judged(story: Story, stage: str, result: dict[str, Any]) -> Generator[Any, Any, EvaluationSummary]:
    """Record what an evaluation came to, and return it. Raises Ended when it could not run."""
    if "error" in result:
        yield from story.end(stage, StageState.FAILED, result["error"])
        raise Ended(Outcome.FAILED, messages.could_not_evaluate(stage, result["error"]))
    summary = read(EvaluationSummary, result["summary"])
    story.record = timeline.add_evaluation(story.record, summary)
    yield from story.end(stage, timeline.STATE_OF_VERDICT[summary.verdict], messages.verdict_detail(summary))
    return summary


def _keep_baseline(story: Story) -> Steps:
    """Production runs already: that its evaluations could not be kept is worth a note, not the release."""
    kept = [asdict(summary) for summary in story.record.evaluations]
    try:
        yield story.act(keep_baseline, {"release": story.record.id, "evaluations": kept})
    except Exception as error:
        story.note(messages.baseline_not_kept(error))


def _result(task: TaskBase) -> Any:
    """Return what a task came to, or raise what made it fail: `task_any` itself never raises."""
    if task.state is TaskState.FAILED:
        raise task.result
    return task.result
