"""One commit on its way to production, told from beginning to end."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from typing import Any

import azure.durable_functions as df
from azure.durable_functions.models.Task import TaskBase, TaskState

from activities.cancel_evaluation import cancel_evaluation
from activities.fetch_snapshot import fetch_snapshot
from activities.find_origin import find_origin
from activities.keep_baseline import keep_baseline
from activities.open_approval import open_approval
from activities.plan_validation import plan_validation
from activities.read_config import read_config
from domain import messages, opt_out, timeline
from domain.config import Environment
from domain.models import (
    Deployment,
    EvaluationSummary,
    Image,
    Origin,
    Outcome,
    ReleaseRequest,
    Snapshot,
    StageState,
    Verdict,
    Vote,
)
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
        label = found["config"]["opt_out"]["label"] if "config" in found else ""
        about = {**where, "before": request.before, "label": label, "branch": request.branch}
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
    result = yield story.call("evaluation", story.evaluation_order("minimal"), child)
    yield from _judged(story, timeline.MINIMAL, result)


def _first_environment_beside_full_evaluation(story: Story) -> Steps:
    """Build, then deploy to the first environment, while the full evaluation runs. Both end before anything goes on.

    What stops one of them stops the release, but not before the other has ended: a full evaluation is cancelled,
    since no verdict saves a commit that cannot be deployed; a deployment is seen through.
    """
    full = yield from _begin_full_evaluation(story)
    yield from story.begin_stage(timeline.BUILD)
    image = {"snapshot": story.snapshot, "target": story.wire_config["target"], "commit": story.record.commit.sha}
    step: TaskBase | None = story.call("build", image, story.child("build"))
    stopped: Exception | None = None
    while step or full:
        done = yield story.context.task_any([task for task in (step, full) if task])
        try:
            if done is full:
                full = None
                yield from _judged(story, timeline.FULL, _result(done))
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
    if opt_out.skips_full_evaluation(story.record.changes, story.record.opt_outs):
        yield from story.end(timeline.FULL, StageState.SKIPPED, messages.skipped_because(story.record.opt_outs))
        return None
    if story.record.opt_outs:
        story.note(messages.opt_out_of_some(story.record.opt_outs))
    yield from story.begin_stage(timeline.FULL, f"{story.child('full')}:shards")
    return story.call("evaluation", story.evaluation_order("full"), story.child("full"))


def _next_step(story: Story, result: dict[str, Any]) -> Generator[Any, Any, TaskBase | None]:
    """Take in what building or deploying came to, and return what follows: after the build, the deployment."""
    first = story.config.environments[0]
    if story.record.image:
        yield from _deployed(story, first, result)
        return None
    if "error" in result:
        yield from story.end(timeline.BUILD, StageState.FAILED, result["error"])
        raise Ended(Outcome.FAILED, messages.build_failed(result["error"]))
    story.keep_image(read(Image, result["image"]))
    yield from story.end(timeline.BUILD, StageState.PASSED, messages.short_digest(result["image"]["digest"]))
    return (yield from _begin_deployment(story, first))


def _promote(story: Story, environment: Environment) -> Steps:
    """Ask the environment's approvers, then deploy the same image there."""
    if environment.approvers:
        yield from _approve(story, environment)
    result = yield (yield from _begin_deployment(story, environment))
    yield from _deployed(story, environment, result)


def _approve(story: Story, environment: Environment) -> Steps:
    stage = timeline.approve(environment.name)
    child = story.child(stage)
    opened = yield story.act(open_approval, story.approval_order(environment, child))
    if "error" in opened:
        yield from story.end(stage, StageState.FAILED, opened["error"])
        raise Ended(Outcome.FAILED, opened["error"])
    yield from story.begin_stage(stage, child, messages.votes_needed(environment))
    yield from story.insist()  # nobody can vote before GitHub has the links
    decided = yield story.call("approval", {"request": opened["request"]}, child)
    votes = tuple(read(Vote, vote) for vote in decided["votes"])
    story.keep_votes(environment.name, votes)
    decision = decided["decision"]
    yield from story.end(stage, STATE_OF_DECISION[decision], messages.decided(votes))
    if decision in OUTCOME_OF_DECISION:
        raise Ended(OUTCOME_OF_DECISION[decision], messages.not_approved(environment.name, decision, votes))


def _begin_deployment(story: Story, environment: Environment) -> Generator[Any, Any, TaskBase]:
    stage = timeline.deploy(environment.name)
    yield from story.begin_stage(stage, story.child(stage))
    return story.call("deployment", story.deployment_order(environment), story.child(stage))


def _deployed(story: Story, environment: Environment, result: dict[str, Any]) -> Steps:
    stage = timeline.deploy(environment.name)
    if not result["ok"]:
        yield from story.end(stage, StageState.FAILED, result["detail"])
        raise Ended(Outcome.FAILED, messages.deployment_failed(environment.name, result["detail"]))
    deployment = read(Deployment, result["deployment"])
    story.record = timeline.add_deployment(story.record, deployment)
    yield from story.end(stage, StageState.PASSED, result["detail"], deployment.url)


def _judged(story: Story, stage: str, result: dict[str, Any]) -> Steps:
    """Record what an evaluation came to. Raises Ended when it stops the release."""
    if result.get("cancelled"):
        yield from story.end(stage, StageState.CANCELLED)
        return
    if "error" in result:
        yield from story.end(stage, StageState.FAILED, result["error"])
        raise Ended(Outcome.FAILED, messages.could_not_evaluate(stage, result["error"]))
    summary = read(EvaluationSummary, result["summary"])
    story.record = timeline.add_evaluation(story.record, summary)
    yield from story.end(stage, timeline.STATE_OF_VERDICT[summary.verdict], messages.verdict_detail(summary))
    if summary.verdict is Verdict.FAILED:
        raise Ended(Outcome.FAILED, messages.stopped_by_evaluation(summary))


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
