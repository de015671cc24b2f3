"""Wait for one's turn in an environment: for its window, the soak time, a hold to be lifted, the releases before."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from activities.enter_lane import enter_lane
from domain.lanes import Answer
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()

LOOKS_PER_GENERATION = 60
AT_LEAST_EVERY = timedelta(hours=1)  # however far away the window is: things change


@bp.orchestration_trigger(context_name="context")
def lane(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return an Entry that is anything but `waits`. Input: what `enter_lane` wants."""
    order = context.get_input()
    for _ in range(LOOKS_PER_GENERATION):
        entry = yield context.call_activity_with_retry(enter_lane, PATIENTLY, order)
        if entry["answer"] != Answer.WAITS:
            return entry
        now = context.current_utc_datetime
        context.set_custom_status({"stage": order["environment"]["name"], "headline": entry["why"]})
        look = now + timedelta(seconds=entry["look"])
        until = datetime.fromisoformat(entry["until"]) if entry["until"] else look
        yield context.create_timer(min(max(look, until), now + AT_LEAST_EVERY))
    context.continue_as_new(order)
    return None
