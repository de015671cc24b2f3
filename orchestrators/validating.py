"""How one head is validated, of a change or of what a merge queue is about to merge: what both stories tell alike."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from activities.fetch_snapshot import fetch_snapshot
from activities.plan_validation import plan_validation
from activities.read_config import read_config
from domain import messages, messages_changes
from domain.changes import (
    CHECKS,
    CONFIG,
    SYNTAX,
    VALIDATE,
    ChangeFacts,
    ChangeRecord,
    ChangeState,
    Check,
    CheckState,
    red,
)
from domain.config import Merge
from domain.models import EvaluationSummary, Snapshot, StageState, Verdict
from domain.wire import read
from orchestrators.change_story import ChangeStory, Over, Steps, Stopped
from orchestrators.retries import PATIENTLY

# A pull request may show its old head for a moment after the push that GitHub told of.
LOOKS_FOR_THE_HEAD = 5
LOOKS_PER_GENERATION = 40  # as of jobs: GitHub may be away for days
PAUSE = 15.0  # seconds between two looks at what takes a moment

Tale = Callable[[ChangeStory, str, float], Steps]  # story, branch that is released, seconds between two looks


def validate_head(context: df.DurableOrchestrationContext, take_up: Any, tale: Tale) -> Generator[Any, Any, Any]:
    """Take the head up and tell the tale of it; return {"state", "reason"}."""
    found = yield from _take_up(context, take_up)
    if found is None:
        context.continue_as_new(context.get_input())
        return None
    if "record" not in found:
        return {"state": ChangeState.FAILED if "error" in found else ChangeState.CANCELLED, "reason": found["reason"]}
    story = ChangeStory(context, read(ChangeFacts, found["facts"]), read(ChangeRecord, found["record"]))
    try:
        yield from _tell(story, tale(story, found["branch"], found["look"]))
    except Over as over:
        yield from story.part(over)
    return {"state": story.record.state, "reason": story.record.reason}


def _take_up(context: df.DurableOrchestrationContext, take_up: Any) -> Generator[Any, Any, dict[str, Any] | None]:
    """Ask GitHub whether this is the head to validate, and speak for it if so.

    None when GitHub is away for so long that another generation has to go on asking.
    """
    ask = {"request": context.get_input(), "at": context.current_utc_datetime.isoformat()}
    looks = 0
    for _ in range(LOOKS_PER_GENERATION):
        last = looks + 1 >= LOOKS_FOR_THE_HEAD
        found = yield context.call_activity_with_retry(take_up, PATIENTLY, {**ask, "last": last})
        looks += "moved" in found
        if "moved" in found and looks >= LOOKS_FOR_THE_HEAD:
            return {"reason": messages_changes.superseded(found["moved"])}
        if "moved" not in found and "retry_after" not in found:
            return {**found, "reason": found.get("error") or found.get("over", "")}
        pause = found.get("retry_after", PAUSE)
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=pause))
    return None


def _tell(story: ChangeStory, tale: Steps) -> Steps:
    """Whatever goes wrong, the people on the change hear of it; the instance itself then shows the error."""
    try:
        yield from tale
    except Stopped as stop:
        story.need(stop.needed)
        yield from story.settle(ChangeState.FAILED, stop.reason)
    except Over:
        raise
    except Exception as error:
        yield from story.settle(ChangeState.FAILED, messages.plain(messages.crashed(error)))
        raise


def read_rules(story: ChangeStory, branch: str) -> Steps:
    """The rules travel with the code: this head's own config counts, also when this very change broke it."""
    # Until the config is read, nobody knows what else the label is called.
    story.record = replace(story.record, person=Merge().needs_person)
    where = {"repository": story.record.repository, "sha": story.record.head}
    fetched = yield from story.ask_github(fetch_snapshot, where)
    if fetched.get("away"):
        raise Stopped(fetched["error"])
    if "error" in fetched:
        raise Stopped(messages_changes.no_such_commit(story.record.head, fetched["error"]))
    story.record = replace(story.record, snapshot=read(Snapshot, fetched["snapshot"]).sha256)
    found = yield story.act(read_config, {"snapshot": story.record.snapshot, "branch": branch})
    if "error" in found:
        story.record = replace(story.record, problems=found["error"])
        reason = messages_changes.broken_config(found["error"])
        story.fail(CONFIG, messages.first_line(ValueError(found["error"])), reason)
    story.plan(found["config"])


def run_commands(story: ChangeStory) -> Steps:
    """Run the repository's commands, load its flow, run its sample rows. A fork's code runs without any secret."""
    fork = story.facts.fork
    yield from story.begin(VALIDATE)
    work = {
        "release": story.record.instance,
        "snapshot": story.record.snapshot,
        "config": story.wire_config,
        "sealed": fork,
    }
    plan = yield story.act(plan_validation, work)
    jobs = yield story.call("run_jobs", plan, "validate")
    failed = next((job for job in jobs if not job["ok"]), None)
    if failed:
        story.fail(VALIDATE, failed["error"])
    yield from story.step(VALIDATE, StageState.PASSED, messages_changes.NO_MODEL_FOR_FORKS if fork else "")


def run_end_to_end(story: ChangeStory) -> Steps:
    """On the way to the release branch: target, evaluators and aggregation, over the sample rows."""
    if SYNTAX not in {step.name for step in story.record.steps}:
        return
    yield from story.begin(SYNTAX)
    order = {
        "id": story.child("syntax"),
        "kind": "syntax",
        "repository": story.record.repository,
        "commit": story.record.head,
        "snapshot": story.record.snapshot,
        "config": story.wire_config,
    }
    result = yield story.call("evaluation", order, "syntax")
    if "summary" not in result:
        story.fail(SYNTAX, result.get("error", "cancelled"))
    summary = read(EvaluationSummary, result["summary"])
    detail = messages_changes.syntax_detail(summary)
    if summary.verdict is not Verdict.PASSED:
        story.fail(SYNTAX, detail)
    yield from story.step(SYNTAX, StageState.PASSED, detail)


def await_checks(story: ChangeStory, look: float) -> Steps:
    """Wait until each check that the config names has succeeded."""
    rules = story.rules.validation
    if not rules.required_checks:
        return
    yield from story.begin(CHECKS, messages_changes.waiting_for_checks(rules.required_checks))
    seen = yield story.call("required_checks", story.wait(look, names=rules.required_checks), "checks")
    if seen.get("over"):
        yield from story.publish()  # raises Over, and says why
    if "error" in seen:
        story.fail(CHECKS, seen["error"])
    checks = [read(Check, check) for check in seen["checks"]]
    if any(check.state is not CheckState.PASSED for check in checks):
        story.record = replace(story.record, red=() if story.facts.group else red(checks))
        reason = messages_changes.checks_failed(checks, rules.checks_timeout / 3600, story.facts.group)
        story.fail(CHECKS, messages_changes.checks_in_short(checks), reason)
    yield from story.step(CHECKS, StageState.PASSED, messages_changes.checks_passed(checks))
