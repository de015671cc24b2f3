"""One commit on its way to production, told from beginning to end."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df
from azure.durable_functions.models.Task import TaskBase, TaskState

from activities.build_image import build_image
from activities.cancel_evaluation import cancel_evaluation
from activities.fetch_snapshot import fetch_snapshot
from activities.find_origin import find_origin
from activities.keep_baseline import keep_baseline
from activities.open_approval import open_approval
from activities.plan_validation import plan_validation
from activities.read_config import read_config
from domain import messages, timeline
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
from orchestrators.retries import PATIENTLY
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
    """Carry one commit across, and return how that ended. Input: a ReleaseRequest."""
    request = read(ReleaseRequest, context.get_input())
    story = yield from _prepare(context, request)
    try:
        yield from _validate(story)
        yield from _evaluate_minimal(story)
        yield from _first_environment_beside_full_evaluation(story)
        for environment in story.config.environments[1:]:
            yield from _promote(story, environment)
        yield story.act(keep_baseline, {"release": story.record.id, "evaluations": story.evaluations()})
        yield from story.close(Outcome.RELEASED, f"{request.sha[:7]} runs in {story.config.environments[-1].name}.")
    except Ended as end:
        yield from story.close(end.outcome, end.reason)
    except Exception as error:
        # Whatever went wrong, the people waiting for this release hear of it; the instance itself shows the error.
        yield from story.close(Outcome.FAILED, f"Drawbridge itself failed here: {str(error).splitlines()[0][:500]}")
        raise
    return {"outcome": story.record.outcome, "reason": story.record.reason}


def _prepare(context: df.DurableOrchestrationContext, request: ReleaseRequest) -> Generator[Any, Any, Story]:
    """Find out what this commit is, before anything can be told about it."""
    where = {"repository": request.repository, "sha": request.sha}
    snapshot = read(Snapshot, (yield context.call_activity_with_retry(fetch_snapshot, PATIENTLY, where)))
    found = yield context.call_activity_with_retry(
        read_config, PATIENTLY, {"snapshot": snapshot.sha256, "branch": request.branch}
    )
    label = found["config"]["opt_out"]["label"] if "config" in found else ""
    origin = yield context.call_activity_with_retry(
        find_origin, PATIENTLY, {**where, "before": request.before, "label": label, "branch": request.branch}
    )
    story = Story.begin(context, request, read(Origin, origin), snapshot.sha256, found)
    yield from story.publish(timeline.PREPARE)
    return story


def _validate(story: Story) -> Steps:
    if story.refusal:
        yield from story.end(timeline.PREPARE, StageState.FAILED, story.refusal)
        raise Ended(Outcome.FAILED, story.refusal)
    yield from story.end(timeline.PREPARE, StageState.PASSED)
    child = story.child("validate")
    yield from story.begin_stage(timeline.VALIDATE, child)
    plan = yield story.act(
        plan_validation, {"release": story.record.id, "snapshot": story.snapshot, "config": story.wire_config}
    )
    jobs = yield story.call("run_jobs", plan, child)
    failed = next((job for job in jobs if not job["ok"]), None)
    if failed:
        yield from story.end(timeline.VALIDATE, StageState.FAILED, failed["error"])
        raise Ended(Outcome.FAILED, f"Validation failed: {failed['error']}")
    yield from story.end(timeline.VALIDATE, StageState.PASSED)


def _evaluate_minimal(story: Story) -> Steps:
    child = story.child("minimal")
    yield from story.begin_stage(timeline.MINIMAL, f"{child}:shards")
    result = yield story.call("evaluation", story.evaluation_order("minimal"), child)
    stopped = yield from _told(story, timeline.MINIMAL, result)
    if stopped:
        raise Ended(Outcome.FAILED, stopped)


def _first_environment_beside_full_evaluation(story: Story) -> Steps:
    """Build, then deploy to the first environment, while the full evaluation runs. Both end before anything goes on."""
    first = story.config.environments[0]
    full: TaskBase | None = None
    if story.record.opt_outs:
        yield from story.end(timeline.FULL, StageState.SKIPPED, messages.skipped_because(story.record.opt_outs))
    else:
        yield from story.begin_stage(timeline.FULL, f"{story.child('full')}:shards")
        full = story.call("evaluation", story.evaluation_order("full"), story.child("full"))
    lane = _Lane(story, first)
    stopped = ""
    yield from story.begin_stage(timeline.BUILD)
    step: TaskBase | None = lane.build()
    while step or full:
        done = yield story.context.task_any([task for task in (step, full) if task])
        if done is full:
            full = None
            stopped = (yield from _told(story, timeline.FULL, _result(done))) or stopped
            continue
        step, failed = yield from lane.follow(_result(done))
        if failed and full:
            # Six more hours of evaluation would not save a commit that cannot be deployed.
            yield story.act(cancel_evaluation, {"id": story.child("full")})
        stopped = failed or stopped
    if stopped:
        raise Ended(Outcome.FAILED, stopped)


class _Lane:
    """The steps of the first environment, one after the other: build, ask if it wants approvers, deploy."""

    def __init__(self, story: Story, environment: Environment) -> None:
        self.story = story
        self.environment = environment
        self.stage = timeline.BUILD

    def build(self) -> TaskBase:
        story = self.story
        order = {"snapshot": story.snapshot, "target": story.wire_config["target"], "commit": story.record.commit.sha}
        return story.context.call_activity(build_image, order)

    def follow(self, result: dict[str, Any]) -> Generator[Any, Any, tuple[TaskBase | None, str]]:
        """Take in what a step came to. Returns the next step, or None, and what stops the release, or ""."""
        story = self.story
        if self.stage == timeline.BUILD:
            if "error" in result:
                yield from story.end(timeline.BUILD, StageState.FAILED, result["error"])
                return None, f"The image could not be built: {result['error']}"
            story.keep_image(read(Image, result["image"]))
            yield from story.end(timeline.BUILD, StageState.PASSED, messages.short_digest(result["image"]["digest"]))
            if self.environment.approvers:
                yield from _approve(story, self.environment)
            self.stage = timeline.deploy(self.environment.name)
            child = story.child(self.stage)
            yield from story.begin_stage(self.stage, child)
            return story.call("deployment", story.deployment_order(self.environment), child), ""
        return None, (yield from _deployed(story, self.environment, result))


def _promote(story: Story, environment: Environment) -> Steps:
    """Ask the environment's approvers, then deploy the same image there."""
    if environment.approvers:
        yield from _approve(story, environment)
    stage = timeline.deploy(environment.name)
    yield from story.begin_stage(stage, story.child(stage))
    result = yield story.call("deployment", story.deployment_order(environment), story.child(stage))
    stopped = yield from _deployed(story, environment, result)
    if stopped:
        raise Ended(Outcome.FAILED, stopped)


def _approve(story: Story, environment: Environment) -> Steps:
    stage = timeline.approve(environment.name)
    child = story.child(stage)
    opened = yield story.act(open_approval, story.approval_order(environment, child))
    if "error" in opened:
        yield from story.end(stage, StageState.FAILED, opened["error"])
        raise Ended(Outcome.FAILED, opened["error"])
    yield from story.begin_stage(stage, child, f"needs {environment.approvals} of {len(environment.approvers)}")
    decided = yield story.call("approval", opened["request"], child)
    votes = tuple(read(Vote, vote) for vote in decided["votes"])
    story.keep_votes(environment.name, votes)
    decision = decided["decision"]
    yield from story.end(stage, STATE_OF_DECISION[decision], messages.decided(votes))
    if decision in OUTCOME_OF_DECISION:
        raise Ended(OUTCOME_OF_DECISION[decision], messages.not_approved(environment.name, decision, votes))


def _told(story: Story, stage: str, result: dict[str, Any]) -> Generator[Any, Any, str]:
    """Record what an evaluation came to. Returns what stops the release, or ""."""
    if "error" in result:
        yield from story.end(stage, StageState.FAILED, result["error"])
        return f"{messages.stage_title(stage)} could not run: {result['error']}"
    summary = read(EvaluationSummary, result["summary"])
    story.keep_evaluation(summary)
    yield from story.end(stage, timeline.STATE_OF_VERDICT[summary.verdict], messages.verdict_detail(summary))
    return messages.stopped_by_evaluation(summary) if summary.verdict is Verdict.FAILED else ""


def _deployed(story: Story, environment: Environment, result: dict[str, Any]) -> Generator[Any, Any, str]:
    stage = timeline.deploy(environment.name)
    if not result["ok"]:
        yield from story.end(stage, StageState.FAILED, result["detail"])
        return f"The deployment to {environment.name} did not hold: {result['detail']}"
    story.keep_deployment(read(Deployment, result["deployment"]))
    yield from story.end(stage, StageState.PASSED, result["detail"], result["deployment"]["url"])
    return ""


def _result(task: TaskBase) -> Any:
    """Return what a task came to, or raise what made it fail: `task_any` itself never raises."""
    if task.state is TaskState.FAILED:
        raise task.result
    return task.result
