"""Hold an environment for a rollback, and find out how the release to go back to was deployed there."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import audit, connect, lanes, records
from adapters.blobs import Blobs
from domain import blob_names
from domain.errors import DrawbridgeError, NotFound, as_answer
from domain.lanes import Hold, Turn
from domain.messages_promotion import nothing_to_go_back_to
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def hold_lane(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"order": for the deployment, "turn"}, or {"error"}.

    Input: {"release": to go back to, "environment": name, "by", "reason", "at"}.
    """
    try:
        return hold(payload, connect.blobs(current()))
    except DrawbridgeError as error:
        return as_answer(error)


def hold(wanted: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
    """Stop every promotion first, so that none slips in before the rollback. Raises NotFound."""
    release, environment = wanted["release"], wanted["environment"]
    order = blobs.read_json(blob_names.deployed(release, environment))
    record = records.find_record(blobs, release)
    if order is None or record is None:
        raise NotFound(nothing_to_go_back_to(release, environment))
    held = Hold(wanted["by"], wanted["reason"], wanted["at"], release)
    lanes.hold(blobs, record.repository, environment, held)
    audit.record(
        blobs,
        key=f"{release}:hold:{environment}:{wanted['at']}",
        what="hold",
        who=wanted["by"],
        subject=release,
        details={"environment": environment, "reason": wanted["reason"]},
    )
    turn = Turn(release, record.commit.sha, record.position, rollback=True)
    return {"order": order, "turn": asdict(turn)}
