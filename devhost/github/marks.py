"""What is left on commits: statuses, deployments and how those go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devhost.github import limits
from devhost.github.double import Double
from devhost.github.refusals import Refused, invalid
from devhost.github.store import Record, now


def add_status(double: Double, repository: Record, ref: str, by: str, fields: Mapping[str, Any]) -> Record:
    """Set a commit status; the newest of a context counts."""
    sha, name = double.commit_sha(repository, ref), repository["repository"]
    state, context = fields.get("state"), fields.get("context") or "default"
    if state not in limits.STATUS_STATES:
        raise invalid("Status", "state", "state is not included in the list")
    limits.check_description("Status", fields.get("description"))
    if len(double.store.all("status", name, sha=sha, context=context)) >= limits.STATUSES:
        raise invalid("Status", "", "This SHA and context has reached the maximum number of statuses.")
    status = double.store.add(
        "status",
        name,
        sha=sha,
        state=state,
        context=context,
        description=fields.get("description"),
        target_url=fields.get("target_url"),
        creator=by,
        created_at=now(),
    )
    double.emit("status", "", repository, {"status": status, "sender": by})
    return status


def newest_statuses(double: Double, repository: Record, sha: str) -> list[Record]:
    """Give the newest status of each context of a commit, newest context first."""
    newest: dict[str, Record] = {}
    for status in double.store.all("status", repository["repository"], sha=sha)[::-1]:
        newest.setdefault(status["context"], status)
    return list(newest.values())


def combined_state(statuses: list[Record]) -> str:
    """Say what the newest statuses of a commit come to."""
    states = {status["state"] for status in statuses}
    return "failure" if states & {"error", "failure"} else "success" if states == {"success"} else "pending"


def add_deployment(double: Double, repository: Record, by: str, fields: Mapping[str, Any]) -> Record:
    """Record a deployment of a commit to an environment."""
    ref = str(fields.get("ref") or "")
    sha = double.git(repository).resolve(ref)
    if sha is None:
        raise Refused(422, f"No ref found for: {ref}")
    limits.check_description("Deployment", fields.get("description"))
    _check_contexts(double, repository, sha, fields.get("required_contexts"))
    return double.store.add(
        "deployment",
        repository["repository"],
        sha=sha,
        ref=ref,
        task=fields.get("task") or "deploy",
        environment=fields.get("environment") or "production",
        payload=fields.get("payload") or "",
        description=fields.get("description"),
        creator=by,
        created_at=now(),
        updated_at=now(),
    )


def _check_contexts(double: Double, repository: Record, sha: str, required: list[str] | None) -> None:
    """Refuse to deploy what has statuses that are not good: those named, without a list all there are."""
    good = {one["context"]: one["state"] == "success" for one in newest_statuses(double, repository, sha)}
    if not all(good.get(context, False) for context in (good if required is None else required)):
        raise Refused(409, f"Conflict: Commit status checks failed for {sha}.")


def deployment(double: Double, repository: Record, number: int) -> Record:
    """Find a deployment by its id."""
    found = double.store.by_id("deployment", repository["repository"], number)
    if found is None:
        raise Refused(404, "Not Found")
    return found


def add_deployment_status(
    double: Double, repository: Record, number: int, by: str, fields: Mapping[str, Any]
) -> Record:
    """Say how a deployment goes; a success turns the environment's earlier successes inactive, as on GitHub."""
    current = deployment(double, repository, number)
    state = fields.get("state")
    if state not in limits.DEPLOYMENT_STATES:
        raise invalid("DeploymentStatus", "state", "state is not included in the list")
    limits.check_description("DeploymentStatus", fields.get("description"))
    with double.store.transaction():
        if state == "success" and fields.get("auto_inactive", True):
            _turn_inactive(double, current, by)
        return _deployment_status(double, current, by, {**fields, "state": state})


def _turn_inactive(double: Double, current: Record, by: str) -> None:
    for other in double.store.all("deployment", current["repository"], environment=current["environment"]):
        newest = double.store.one("deployment_status", current["repository"], deployment=other["id"])
        if other["id"] != current["id"] and newest and newest["state"] == "success":
            _deployment_status(double, other, by, {"state": "inactive"})


def _deployment_status(double: Double, deployment: Record, by: str, fields: Mapping[str, Any]) -> Record:
    log_url = fields.get("log_url") or fields.get("target_url") or ""  # GitHub sets each from the other
    return double.store.add(
        "deployment_status",
        deployment["repository"],
        deployment=deployment["id"],
        state=fields["state"],
        description=fields.get("description") or "",
        environment=fields.get("environment") or deployment["environment"],
        environment_url=fields.get("environment_url") or "",
        log_url=log_url,
        creator=by,
        created_at=now(),
    )
