"""Somebody moved a label of an open change: say anew what the policy makes of its opt-out."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.look_at_label import look_at_label
from orchestrators.patience import FOR_A_LABEL, ask_github
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def opt_out_preview(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Look until GitHub answers; when it does not, the change says that. Input: a LookAtLabel."""
    look = context.get_input()
    request = look.get("request", look)  # an earlier version passed on nothing else
    where = {"repository": request["repository"], "number": request["number"], "toggle": look.get("toggle")}
    seen = yield from ask_github(context, look_at_label, where, FOR_A_LABEL)
    if "error" in seen:
        yield context.call_activity_with_retry(look_at_label, PATIENTLY, {**where, "error": seen["error"]})
    return seen
