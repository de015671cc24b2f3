"""One head of a change, told from the push to the merge, or to the person who is needed."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.preview_release import preview_release
from activities.take_up_change import take_up_change
from domain import messages_changes
from domain.branch_names import follows, is_ruled
from domain.changes import BRANCH, ChangeState
from domain.models import StageState
from orchestrators.change_story import ChangeStory, Steps
from orchestrators.merging import merge
from orchestrators.validating import await_checks, read_rules, run_commands, run_end_to_end, validate_head

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def pull_request(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Validate one head of a change, and return {"state", "reason"}. Input: a ChangeRequest."""
    return (yield from validate_head(context, take_up_change, _tell_story))


def _tell_story(story: ChangeStory, branch: str, look: float) -> Steps:
    yield from _validate(story, branch, look)
    yield from story.settle(ChangeState.PASSED, messages_changes.validated())
    yield from merge(story, look)


def _validate(story: ChangeStory, branch: str, look: float) -> Steps:
    yield from story.publish()
    yield from read_rules(story, branch)
    yield from _check_branch(story)
    yield from _foresee(story)
    yield from run_commands(story)
    yield from run_end_to_end(story)
    yield from await_checks(story, look)


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
