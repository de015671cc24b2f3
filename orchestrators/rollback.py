"""Go back to a release that was in an environment before, because a person said so. Promotion is held until lifted."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from activities.hold_lane import hold_lane
from activities.leave_lane import leave_lane
from activities.note_rollback import note_rollback
from activities.tell_github import tell_github
from domain import messages
from domain.lanes import Turn, occupy
from domain.models import Deployment
from domain.wire import read
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def rollback(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"ok", "detail"}. Input: {"release": to go back to, "environment": name, "by", "reason", "at"}.

    A person's rollback passes a hold, a closed window and the rule that no older commit replaces a newer one; it waits
    only for a deployment that is under way.
    """
    wanted = context.get_input()
    held = yield context.call_activity_with_retry(hold_lane, PATIENTLY, wanted)
    if "error" in held:
        return {"ok": False, "detail": held["error"]}
    order = {**held["order"], "by": wanted["by"], "evidence": ""}
    turn = read(Turn, held["turn"])
    lane = {"repository": order["repository"], "environment": order["environment"], "turn": held["turn"]}
    crash: Exception | None = None
    try:
        yield context.call_sub_orchestrator("lane", lane, f"{context.instance_id}.lane")
        result = yield context.call_sub_orchestrator("deployment", order, f"{context.instance_id}.deploy")
    except Exception as error:  # whatever went wrong, the lane is left: nobody else could go back either
        crash, result = error, {"ok": False, "detail": messages.crashed(error)}
    deployed = asdict(occupy(read(Deployment, result["deployment"]), turn)) if result["ok"] else None
    departure = {
        "repository": order["repository"],
        "environment": wanted["environment"],
        "release": wanted["release"],
        "rollback": True,
        "deployed": deployed,
        "order": order,
        "by": wanted["by"],
        "evidence": "",
    }
    yield context.call_activity_with_retry(leave_lane, PATIENTLY, departure)
    if deployed:
        about = {"deployment": result["deployment"], "by": wanted["by"]}
        noted = yield context.call_activity_with_retry(note_rollback, PATIENTLY, about)
        yield context.call_activity_with_retry(tell_github, PATIENTLY, {**noted, "stages": []})
    if crash:
        raise crash
    return {"ok": result["ok"], "detail": result["detail"]}
