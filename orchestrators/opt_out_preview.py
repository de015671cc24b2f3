"""Somebody moved a label of an open change: say anew what the policy makes of its opt-out."""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df

from activities.look_at_label import look_at_label
from domain.models import ChangeRequest
from domain.wire import read
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()

LOOKS = 60  # while GitHub is away


@bp.orchestration_trigger(context_name="context")
def opt_out_preview(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Look until GitHub answers. Input: a ChangeRequest."""
    request = read(ChangeRequest, context.get_input())
    where = {"repository": request.repository, "number": request.number}
    for _ in range(LOOKS):
        seen = yield context.call_activity_with_retry(look_at_label, PATIENTLY, where)
        if "retry_after" not in seen:
            return seen
        yield context.create_timer(context.current_utc_datetime + timedelta(seconds=seen["retry_after"]))
    return seen
