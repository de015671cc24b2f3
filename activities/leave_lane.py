"""Leave an environment to the next release, and keep what runs there now."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import audit, connect, lanes
from adapters.blobs import Blobs
from domain import blob_names
from domain.lanes import Occupant, leave
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def leave_lane(payload: dict[str, Any]) -> None:
    """Free the lane of {"repository", "environment": name, "release", "rollback"?: it is not the release itself}.

    And keep what was deployed, if it held: {"deployed": Occupant or null, "order": how, "by": who, "evidence": digest}.
    """
    depart(payload, connect.blobs(current()))


def depart(wanted: dict[str, Any], blobs: Blobs) -> None:
    """Write down what was deployed, how, on whose word and on what evidence, then let the next one in."""
    deployed = read(Occupant, wanted["deployed"]) if wanted["deployed"] else None
    repository, environment, release = wanted["repository"], wanted["environment"], wanted["release"]
    if deployed:
        blobs.write_json(blob_names.deployed(deployed.release, environment), wanted["order"])
        audit.record(
            blobs,
            key=f"{deployed.release}:deployed:{environment}:{deployed.at}",
            what="deployed",
            who=wanted["by"],
            subject=deployed.release,
            evidence=wanted["evidence"],
            details={"environment": environment, "image": deployed.image.digest, "commit": deployed.sha},
        )
    rollback = wanted.get("rollback", False)
    lanes.change(blobs, repository, environment, lambda lane: leave(lane, release, deployed, rollback))
