"""An opt-out label was put on a merged change, or taken off: weigh it, however long GitHub needs to answer."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.weigh_toggle import weigh_toggle
from orchestrators.patience import FOR_A_LABEL, ask_github
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def toggle(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"decision": in words}, or {"error"}. Input: a ToggleOptOut.

    Asked again as well while no release carries the change: it may yet find out that it does.
    """
    event = context.get_input()
    answer = yield from ask_github(context, weigh_toggle, event, FOR_A_LABEL)
    if "away" in answer:
        answer = yield context.call_activity_with_retry(weigh_toggle, PATIENTLY, {**event, "last": True})
    return answer
