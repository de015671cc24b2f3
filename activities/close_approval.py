"""Close the question to the approvers and count: nobody's late vote is taken and then ignored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from adapters.blobs import Blobs
from domain import blob_names
from domain.approvals import Decision, decide
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def close_approval(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"decision": approved | rejected | expired, "votes"} of {"release", "environment"}."""
    return close(payload["release"], payload["environment"], connect.blobs(current()))


def close(release: str, environment: str, blobs: Blobs) -> dict[str, Any]:
    """First shut the door, then count who is inside: a rejection that came in at the last moment still wins.

    Run twice, it answers the same, since nobody votes behind a shut door.
    """
    door = blob_names.approval_outcome(release, environment)
    blobs.create_json(door, {"decision": "being counted"})
    request = records.need_request(blobs, release, environment)
    votes = records.read_votes(blobs, request)
    decision = decide(request, votes)
    outcome = "expired" if decision is Decision.OPEN else decision.value
    blobs.write_json(door, {"decision": outcome})
    return {"decision": outcome, "votes": [asdict(vote) for vote in votes]}
