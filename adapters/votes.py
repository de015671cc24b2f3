"""The trace that a vote leaves in the audit log."""

from __future__ import annotations

from adapters import audit
from adapters.blobs import Blobs
from domain.approvals import OVERRIDE
from domain.models import ApprovalRequest, Vote


def trace(blobs: Blobs, request: ApprovalRequest, vote: Vote) -> None:
    """Record a vote, once: when it is given, and when it is counted, in case whoever took it died in between."""
    details = {"environment": request.environment, "round": str(request.round), "decision": vote.decision}
    details |= {"approver": vote.approver} if vote.approver != vote.principal else {}
    details |= {"comment": vote.comment} if vote.comment else {}
    details |= {"waives": "the evaluation debt"} if vote.waives else {}
    audit.record(
        blobs,
        key=f"{request.release}:{request.environment}:{request.round}:{vote.principal.casefold()}",
        what="override" if request.environment == OVERRIDE else "vote",
        who=vote.principal,
        subject=request.release,
        evidence=vote.digest,
        details=details,
        at=vote.at,
    )
