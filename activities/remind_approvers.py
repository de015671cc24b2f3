"""Remind, once, the approvers who have not voted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from domain import blob_names, messages, release_news
from domain.approvals import GROUP
from domain.models import ReleaseRecord
from domain.outbox import Comment
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def remind_approvers(payload: dict[str, Any]) -> None:
    """Comment where the approvers of {"release", "environment"} have their links; once for each round of questions."""
    settings = current()
    box = connect.outbox(settings)
    request = records.need_request(box.blobs, payload["release"], payload["environment"])
    record = read(ReleaseRecord, box.blobs.read_json(blob_names.record(request.release)))
    votes = records.read_votes(box.blobs, request)
    # One vote does not speak for a group: the others in it may be wanted as well.
    done = {
        name.casefold()
        for name in (*(vote.approver for vote in votes), *request.excluded)
        if not name.startswith(GROUP)
    }
    missing = [name for name in request.approvers if name.casefold() not in done]
    page = f"{settings.public_url}/api/releases/{request.release}"
    body = messages.reminder(request.environment, missing, request.expires_at, page)
    marker = f"{request.release}-reminder-{request.environment}-{request.round}"
    at = datetime.now(UTC).isoformat()
    for change in release_news.followed(record):
        box.post(Comment(record.repository, change, record.commit.sha, marker, body, page, at=at))
