"""Wait until the repository's own checks have come to something on a change's head."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.look_at_checks import look_at_checks
from domain import messages_changes
from domain.changes import Check, decided
from domain.wire import read
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()

LOOKS_PER_GENERATION = 40  # as of jobs: the history of a generation stays short


@bp.orchestration_trigger(context_name="context")
def required_checks(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"checks"} once one has failed, all have passed or the time is up; {"over": true}; {"error"}.

    Input: {"repository", "number", "instance", "sha", "names", "look": seconds, "until"}.
    """
    work = context.get_input()
    until = datetime.fromisoformat(work["until"])
    for _ in range(LOOKS_PER_GENERATION):
        seen = yield context.call_activity_with_retry(look_at_checks, PATIENTLY, work)
        if "error" in seen or seen.get("over"):
            return seen
        late = context.current_utc_datetime >= until
        checks = [read(Check, check) for check in seen.get("checks", ())]
        if checks and (late or decided(checks)):
            return {"checks": seen["checks"]}
        if late:
            return {"error": messages_changes.GITHUB_AWAY}
        pause = timedelta(seconds=seen.get("retry_after", work["look"]))
        yield context.create_timer(min(context.current_utc_datetime + pause, until))
    context.continue_as_new(work)
    return None
