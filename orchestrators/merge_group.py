"""What a merge queue is about to merge, validated as it would land: the queue waits for our status on that commit."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.take_up_group import take_up_group
from domain import messages_changes
from domain.changes import ChangeState
from orchestrators.change_story import ChangeStory, Steps
from orchestrators.validating import await_checks, read_rules, run_commands, run_end_to_end, validate_head

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def merge_group(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Validate the head of a merge queue's group, and return {"state", "reason"}. Input: a GroupRequest."""
    return (yield from validate_head(context, take_up_group, _tell_story))


def _tell_story(story: ChangeStory, branch: str, look: float) -> Steps:
    yield from story.publish()
    yield from read_rules(story, branch)
    yield from run_commands(story)
    yield from run_end_to_end(story)
    yield from await_checks(story, look)
    yield from story.settle(ChangeState.PASSED, messages_changes.validated())
