"""One head of a change, told from the push to the merge, or to the person who is needed."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from activities.fetch_snapshot import fetch_snapshot
from activities.plan_validation import plan_validation
from activities.preview_release import preview_release
from activities.read_config import read_config
from activities.take_up_change import take_up_change
from domain import messages, messages_changes
from domain.branch_names import follows, is_ruled
from domain.changes import (
    BRANCH,
    CHECKS,
    CONFIG,
    SYNTAX,
    VALIDATE,
    ChangeFacts,
    ChangeRecord,
    ChangeState,
    Check,
    CheckState,
)
from domain.config import Merge
from domain.models import EvaluationSummary, Snapshot, StageState, Verdict
from domain.wire import read
from orchestrators.change_story import ChangeStory, Over, Steps, Stopped
from orchestrators.merging import merge
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()

# A pull request may show its old head for a moment after the push that GitHub told of.
LOOKS_FOR_THE_HEAD = 5
LOOKS_PER_GENERATION = 40  # as of jobs: GitHub may be away for days
PAUSE = 15.0  # seconds between two looks at what takes a moment


@bp.orchestration_trigger(context_name="context")
def pull_request(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Validate one head of a change, and return {"state", "reason"}. Input: a ChangeRequest."""
    found = yield from _take_up(context)
    if found is None:
        context.continue_as_new(context.get_input())
        return None
    if "record" not in found:
        return {"state": ChangeState.FAILED if "error" in found else ChangeState.CANCELLED, "reason": found["reason"]}
    story = ChangeStory(context, read(ChangeFacts, found["facts"]), read(ChangeRecord, found["record"]))
    try:
        yield from _tell_story(story, found["branch"], found["look"])
    except Over as over:
        yield from story.part(str(over))
    return {"state": story.record.state, "reason": story.record.reason}


def _take_up(context: df.DurableOrchestrationContext) -> Generator[Any, Any, dict[str, Any] | None]:
    """Ask GitHub whether this is the head to validate, and speak for the change if so.

    None when GitHub is away for so long that another generation has to go on asking.
    """
    ask = {"request": context.get_input(), "at": context.current_utc_datetime.isoformat()}
    looks = 0
    for _ in range(LOOKS_PER_GENERATION):
        last = looks + 1 >= LOOKS_FOR_THE_HEAD
        found = yield context.call_activity_with_retry(take_up_change, PATIENTLY, {**ask, "last": last})
        looks += "moved" in found
        if "moved" in found and looks >= LOOKS_FOR_THE_HEAD:
            return {"reason": messages_changes.superseded(found["moved"])}
        if "moved" not in found and "retry_after" not in found:
            return {**found, "reason": found.get("error") or found.get("over", "")}
        pause = found.get("retry_after", PAUSE)
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=pause))
    return None


def _tell_story(story: ChangeStory, branch: str, look: float) -> Steps:
    """Whatever goes wrong, the people on the change hear of it; the instance itself then shows the error."""
    try:
        yield from _validate(story, branch, look)
        yield from story.settle(ChangeState.PASSED, messages_changes.validated())
        yield from merge(story, look)
    except Stopped as stop:
        story.need(stop.needed)
        yield from story.settle(ChangeState.FAILED, stop.reason)
    except Over:
        raise
    except Exception as error:
        yield from story.settle(ChangeState.FAILED, messages.plain(messages.crashed(error)))
        raise


def _validate(story: ChangeStory, branch: str, look: float) -> Steps:
    yield from story.publish()
    yield from _read_rules(story, branch)
    yield from _check_branch(story)
    yield from _foresee(story)
    yield from _run_commands(story)
    yield from _run_end_to_end(story)
    yield from _await_checks(story, look)


def _read_rules(story: ChangeStory, branch: str) -> Steps:
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


def _check_branch(story: ChangeStory) -> Steps:
    facts, rules = story.facts, story.rules
    if is_ruled(facts, rules.branches) and not follows(rules.branches.feature, facts.branch):
        reason = messages_changes.wrong_branch(facts, rules.branches.feature)
        story.fail(BRANCH, facts.branch, reason, messages_changes.author_renames(facts.author))
    if facts.fork:
        story.note(messages_changes.from_a_fork())
    if facts.base == rules.branches.main and facts.branch != rules.branches.develop:
        story.note(messages_changes.past_develop(facts, rules.branches.develop))
    yield from story.step(BRANCH, StageState.PASSED, messages_changes.right_branch(facts, rules))


def _foresee(story: ChangeStory) -> Steps:
    """Say in advance what the release will evaluate. A preview that cannot be made stops nothing."""
    facts, rules = story.facts, story.rules
    labelled = rules.opt_out.label.casefold() in {label.casefold() for label in facts.labels}
    if facts.base != rules.branches.main:
        if labelled:
            story.note(messages_changes.OPT_OUT_ON_DEVELOP)
        return
    about = {"repository": facts.repository, "number": facts.number, "config": story.wire_config}
    answer = yield from story.ask_github(preview_release, about)
    if "error" in answer:
        story.note(messages_changes.no_preview(answer["error"]))


def _run_commands(story: ChangeStory) -> Steps:
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


def _run_end_to_end(story: ChangeStory) -> Steps:
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


def _await_checks(story: ChangeStory, look: float) -> Steps:
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
        reason = messages_changes.checks_failed(checks, rules.checks_timeout / 3600)
        story.fail(CHECKS, messages_changes.checks_in_short(checks), reason)
    yield from story.step(CHECKS, StageState.PASSED, messages_changes.checks_passed(checks))
