"""An opt-out label was put on a merged change, or taken off: weigh it, however long GitHub needs to answer."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from activities.weigh_toggle import weigh_toggle
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()

TRIES = 60  # half an hour, for a release that has yet to find out which changes it carries


@bp.orchestration_trigger(context_name="context")
def toggle(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"decision": in words}, or {"error"}. Input: a ToggleOptOut."""
    event = context.get_input()
    for _ in range(TRIES):
        answer = yield context.call_activity_with_retry(weigh_toggle, PATIENTLY, event)
        if "retry_after" not in answer:
            break
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=answer["retry_after"]))
    return answer
