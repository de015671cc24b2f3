"""Put the evidence before the approvers of an environment, and again when it has changed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import azure.durable_functions as df

from adapters import audit, connect, records
from adapters.blobs import Blobs
from domain import blob_names, debts, messages, messages_promotion, timeline
from domain.approvals import can_be_reached, digest
from domain.audit import APP
from domain.config import Environment
from domain.errors import DrawbridgeError, Invalid, as_answer
from domain.models import ApprovalRequest, Evidence, ReleaseRecord
from domain.wire import read
from settings import Settings, current

if TYPE_CHECKING:
    from adapters.github import GitHub

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def open_approval(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"request", "voided": who voted on older evidence}, or {"error"}, or {"retry_after"}.

    Input: {"record", "environment": config, "instance": who waits, "at", "last": it is the way to production}.
    """
    settings = current()
    try:
        return put(payload, settings, connect.github(settings), connect.blobs(settings))
    except DrawbridgeError as error:
        return as_answer(error)


def put(wanted: Mapping[str, Any], settings: Settings, github: GitHub, blobs: Blobs) -> dict[str, Any]:
    """Find out who may be asked, and ask them. Raises Invalid when too few people may vote."""
    environment, record = read(Environment, wanted["environment"]), read(ReleaseRecord, wanted["record"])
    if environment.prevent_self_approval or environment.exclude_merger:
        record = with_people(record, environment, github, blobs)
    groups = team_members(environment, github)
    approvers = dict.fromkeys(name for name in environment.approvers if "/" not in name) | groups
    request = ApprovalRequest(
        release=record.id,
        environment=environment.name,
        digest="",
        approvers=tuple(approvers),
        nonces=tuple(secrets.token_urlsafe(32) for _ in approvers),
        approvals=environment.approvals,
        excluded=excluded(record, environment),
        opened_at=wanted["at"],
        remind_at=_after(wanted["at"], environment.remind_after),
        expires_at=_after(wanted["at"], environment.expires_after),
        instance=wanted["instance"],
        debt_open=bool(wanted["last"]) and debts.block_production(record),
        groups=groups,
        look=settings.look_seconds,
    )
    if environment.approvers and not can_be_reached(request, settings.people):
        raise Invalid(messages.too_few_approvers(environment.name, environment.approvals, request.excluded))
    asked, voided = ask(request, evidence_of(record, environment), blobs)
    return {"request": asdict(asked), "voided": voided}


def ask(request: ApprovalRequest, evidence: Evidence, blobs: Blobs) -> tuple[ApprovalRequest, list[str]]:
    """Store evidence and request, and return the request that counts and whose votes on older evidence are void.

    On the same evidence it is the first request, so that no link changes under anybody; on new evidence, a new round.
    """
    wanted = replace(request, digest=digest(evidence))
    before = records.read_request(blobs, request.release, request.environment)
    if before and before.digest == wanted.digest:
        return _go_on(before, wanted, blobs), []
    if before is None:
        return _store(wanted, evidence, blobs), []
    following = replace(wanted, round=before.round + 1)
    # First shut the old door: a vote that comes now is told so, instead of being taken and then not counted.
    door = blob_names.approval_outcome(before.release, before.environment, before.round)
    blobs.create_json(door, {"decision": "replaced", "round": following.round})
    voided = sorted({vote.approver for vote in records.read_votes(blobs, before)}, key=str.casefold)
    # Recorded before it is stored: a run that ends between the two would take what is stored for recorded.
    audit.record(
        blobs,
        key=f"{request.release}:{request.environment}:round-{following.round}",
        what="new-evidence",
        who=APP,
        subject=request.release,
        evidence=wanted.digest,
        details={"environment": request.environment, "void": ", ".join(voided), "before": before.digest},
    )
    return _store(following, evidence, blobs), voided


def team_members(environment: Environment, github: GitHub) -> dict[str, str]:
    """Return the members of the teams among an environment's approvers, each with its team. Raises NotFound."""
    teams = [name for name in environment.approvers if "/" in name]
    return {login: team for team in teams for login in github.team_members(*team.split("/"))}


def with_people(record: ReleaseRecord, environment: Environment, github: GitHub, blobs: Blobs) -> ReleaseRecord:
    """Return the record with everybody who had a part in the release.

    GitHub may have linked a commit to its change only after the release began. Raises Invalid when it has not by now.
    """
    if not record.direct and all(change.merged_by for change in record.changes):
        return record
    before = blobs.read_json(blob_names.beginning(record.id))["before"]
    found = github.find_origin(record.repository, record.commit.sha, before, "", record.branch).origin
    known = timeline.know_people(record, found)
    if found.unlinked or found.unseen or not all(change.merged_by for change in known.changes):
        raise Invalid(messages_promotion.people_unknown(environment.name))
    return known


def excluded(record: ReleaseRecord, environment: Environment) -> tuple[str, ...]:
    """Return who may not vote: those who made the release, and those who merged it, where the config says so.

    Whoever wrote, committed or pushed what came without a change has merged it.
    """
    people = set(record.authors) if environment.prevent_self_approval else set()
    if environment.exclude_merger:
        people |= {change.merged_by for change in record.changes} | set(record.authors if record.direct else ())
    return tuple(sorted(people, key=str.casefold))


def evidence_of(record: ReleaseRecord, environment: Environment) -> Evidence:
    """Gather what an approver has to see."""
    if record.image is None:
        raise ValueError(f"{record.id} has no image to approve")
    return Evidence(
        release=record.id,
        repository=record.repository,
        environment=environment.name,
        commit=record.commit,
        changes=record.changes,
        image=record.image,
        evaluations=record.evaluations,
        opt_outs=record.opt_outs,
        deployments=record.deployments,
        approvers=tuple(environment.approvers),
        approvals=environment.approvals,
        prevent_self_approval=environment.prevent_self_approval,
        exclude_merger=environment.exclude_merger,
        debt=record.debt,
        overrides=record.overrides,
    )


def _store(request: ApprovalRequest, evidence: Evidence, blobs: Blobs) -> ApprovalRequest:
    """Write the evidence, then the request that names it; run twice at once, the first one counts for both."""
    blobs.write_json(blob_names.evidence(request.release, request.environment, request.round), asdict(evidence))

    def step(kept: Any) -> Any:
        ours = kept is None or read(ApprovalRequest, kept).digest != request.digest
        # As JSON has it, so that what is returned is what is stored.
        return json.loads(json.dumps(asdict(request))) if ours else kept

    stored = blobs.change_json(blob_names.approval_request(request.release, request.environment), step)
    return read(ApprovalRequest, stored)


def _go_on(before: ApprovalRequest, wanted: ApprovalRequest, blobs: Blobs) -> ApprovalRequest:
    """Let another orchestration wait for the same question."""
    same = replace(before, instance=wanted.instance)
    blobs.write_json(blob_names.approval_request(same.release, same.environment), asdict(same))
    return same


def _after(start: str, seconds: int) -> str:
    return (datetime.fromisoformat(start) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
