"""Close the question to the approvers and count: nobody's late vote is taken and then ignored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import audit, connect, records, votes
from adapters.blobs import Blobs
from domain import blob_names
from domain.approvals import Decision, decide
from domain.audit import APP, What
from settings import current

OUTCOMES: dict[Decision, What] = {
    Decision.APPROVED: "approved",
    Decision.REJECTED: "rejected",
    Decision.OPEN: "expired",  # nobody decided in time
}

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def close_approval(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"decision": approved | rejected | expired, "votes", "digest"} of {"release", "environment"}."""
    return close(payload["release"], payload["environment"], connect.blobs(current()))


def close(release: str, environment: str, blobs: Blobs) -> dict[str, Any]:
    """First shut the door, then count who is inside: a rejection that came in at the last moment still wins.

    Run twice, it answers the same, since nobody votes behind a shut door.
    """
    request = records.need_request(blobs, release, environment)
    door = blob_names.approval_outcome(release, environment, request.round)
    blobs.create_json(door, {"decision": "being counted"})
    given = records.read_votes(blobs, request)
    for vote in given:
        votes.trace(blobs, request, vote)
    decision = decide(request, given)
    outcome = OUTCOMES[decision]
    blobs.write_json(door, {"decision": outcome})
    audit.record(
        blobs,
        key=f"{release}:{environment}:decided:{request.round}",
        what=outcome,
        who=APP if decision is Decision.OPEN else ", ".join(vote.principal for vote in given),
        subject=release,
        evidence=request.digest,
        details={"environment": environment, "round": str(request.round)},
    )
    return {"decision": outcome, "votes": [asdict(vote) for vote in given], "digest": request.digest}
