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
from activities.plan_validation import plan_validation
from activities.read_config import read_config
from domain import messages, timeline
from domain.models import (
    Image,
    Origin,
    Outcome,
    ReleaseRequest,
    Snapshot,
    StageState,
    Verdict,
)
from domain.wire import read
from orchestrators.evidence import override_if_needed
from orchestrators.full_evaluation import begin_full_evaluation, full_evaluation_ended, judged
from orchestrators.promotion import admit, begin_deployment, deployed, promote, queue
from orchestrators.story import Ended, Steps, Story

bp = df.Blueprint()


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
    yield from override_if_needed(story)
    for environment in story.config.environments[1:]:
        yield from promote(story, environment)


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
    summary = yield from judged(story, timeline.MINIMAL, result)
    if summary.verdict is Verdict.FAILED:
        raise Ended(Outcome.FAILED, messages.stopped_by_evaluation(summary))


def _first_environment_beside_full_evaluation(story: Story) -> Steps:
    """Build, then deploy to the first environment, while the full evaluation runs. Both end before anything goes on.

    What stops the deployment stops the release, but not before the full evaluation has ended: it is cancelled, since no
    verdict saves a commit that cannot be deployed. A verdict waits for the deployment, which is seen through.
    """
    full = yield from begin_full_evaluation(story)
    step: TaskBase | None = yield from _begin_build(story)
    stopped: Exception | None = None
    while step or full:
        done = yield story.context.task_any([task for task in (step, full) if task])
        try:
            if done is full:
                full = None
                full = yield from full_evaluation_ended(story, _result(done), bool(stopped))
            else:
                step = None
                step = yield from _next_step(story, _result(done))
        except Exception as error:
            stopped = stopped or error
            if full:
                yield story.act(cancel_evaluation, {"id": timeline.running_full_evaluation(story.record)})
    if stopped:
        raise stopped


def _begin_build(story: Story) -> Generator[Any, Any, TaskBase]:
    yield from story.begin_stage(timeline.BUILD)
    order = {"snapshot": story.snapshot, "target": story.wire_config["target"], "commit": story.record.commit.sha}
    return story.call("build", order, story.child("build"))


def _next_step(story: Story, result: dict[str, Any]) -> Generator[Any, Any, TaskBase | None]:
    """Take in what building, waiting or deploying came to, and return what follows; None after the deployment."""
    first = story.config.environments[0]
    if "ok" in result:
        yield from deployed(story, first, result)
        return None
    if "answer" in result:
        admit(story, first, result)
        return (yield from begin_deployment(story, first))
    if "error" in result:
        yield from story.end(timeline.BUILD, StageState.FAILED, result["error"])
        raise Ended(Outcome.FAILED, messages.build_failed(result["error"]))
    story.keep_image(read(Image, result["image"]))
    yield from story.end(timeline.BUILD, StageState.PASSED, messages.short_digest(result["image"]["digest"]))
    waiting = yield from queue(story, first)
    return waiting or (yield from begin_deployment(story, first))


def _keep_baseline(story: Story) -> Steps:
    """Production runs already: that its evaluations could not be kept is worth a note, not the release."""
    kept = [asdict(summary) for summary in story.record.evaluations]
    try:
        yield story.act(keep_baseline, {"release": story.record.id, "evaluations": kept, "at": story.now})
    except Exception as error:
        story.note(messages.baseline_not_kept(error))


def _result(task: TaskBase) -> Any:
    """Return what a task came to, or raise what made it fail: `task_any` itself never raises."""
    if task.state is TaskState.FAILED:
        raise task.result
    return task.result
