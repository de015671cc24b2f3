"""Put the evidence before the approvers of an environment."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import azure.durable_functions as df

from adapters import connect
from adapters.blobs import Blobs
from domain import blob_names, messages
from domain.approvals import can_be_reached, digest
from domain.config import Environment
from domain.models import ApprovalRequest, Evidence, ReleaseRecord
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def open_approval(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"request"}, or {"error"} when too few people may vote.

    Input: {"record", "environment": config, "instance": who waits, "at"}.
    """
    environment = read(Environment, payload["environment"])
    record = read(ReleaseRecord, payload["record"])
    excluded = record.authors if environment.prevent_self_approval else ()
    if not can_be_reached(environment.approvers, excluded, environment.approvals):
        return {"error": messages.too_few_approvers(environment.name, environment.approvals, excluded)}
    request = ask(record, environment, excluded, payload["instance"], payload["at"], connect.blobs(current()))
    return {"request": asdict(request)}


def ask(
    record: ReleaseRecord, environment: Environment, excluded: tuple[str, ...], instance: str, at: str, blobs: Blobs
) -> ApprovalRequest:
    """Store evidence and request. Run twice, it returns the first request, so that no link changes under anybody."""
    evidence = evidence_of(record, environment)
    opened = datetime.fromisoformat(at)
    request = ApprovalRequest(
        release=record.id,
        environment=environment.name,
        digest=digest(evidence),
        approvers=tuple(environment.approvers),
        nonces=tuple(secrets.token_urlsafe(32) for _ in environment.approvers),
        approvals=environment.approvals,
        excluded=excluded,
        opened_at=at,
        remind_at=_after(opened, environment.remind_after),
        expires_at=_after(opened, environment.expires_after),
        instance=instance,
    )
    blobs.write_json(blob_names.evidence(record.id, environment.name), asdict(evidence))
    name = blob_names.approval_request(record.id, environment.name)
    if blobs.create_json(name, asdict(request)):
        return request
    return read(ApprovalRequest, blobs.read_json(name))


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
    )


def _after(start: datetime, seconds: int) -> str:
    return (start + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
