"""Remind, once, the approvers who have not voted."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from domain import blob_names, messages, timeline
from domain.models import ApprovalRequest, ReleaseRecord
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def remind_approvers(payload: dict[str, Any]) -> None:
    """Comment on each change of an ApprovalRequest's release; the comment's marker keeps it to one."""
    settings = current()
    blobs, github = connect.blobs(settings), connect.github(settings)
    request = read(ApprovalRequest, payload)
    record = read(ReleaseRecord, blobs.read_json(blob_names.record(request.release)))
    voted = {vote.approver for vote in records.read_votes(blobs, request)}
    done = {name.casefold() for name in (*voted, *request.excluded)}  # GitHub logins have no case
    missing = [name for name in request.approvers if name.casefold() not in done]
    page = f"{settings.public_url}/api/releases/{request.release}"
    body = messages.reminder(request.environment, missing, request.expires_at, page)
    for change in timeline.places_to_comment(record):
        marker = f"{request.release}-reminder-{request.environment}"
        github.upsert_comment(record.repository, change, record.commit.sha, marker, body)
