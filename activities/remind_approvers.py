"""Remind, once, the approvers who have not voted."""

from __future__ import annotations

import logging
from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from domain import blob_names, messages, timeline
from domain.errors import DrawbridgeError
from domain.models import ReleaseRecord
from domain.wire import read
from settings import current

bp = df.Blueprint()
log = logging.getLogger("drawbridge.github")


@bp.activity_trigger(input_name="payload")
def remind_approvers(payload: dict[str, Any]) -> None:
    """Comment on each change of the release of {"release", "environment"}; the comment's marker keeps it to one.

    A reminder that cannot be written is logged: the question stands all the same.
    """
    settings = current()
    blobs, github = connect.blobs(settings), connect.github(settings)
    request = records.need_request(blobs, payload["release"], payload["environment"])
    record = read(ReleaseRecord, blobs.read_json(blob_names.record(request.release)))
    done = {vote.approver for vote in records.read_votes(blobs, request)} | set(request.excluded)
    missing = [name for name in request.approvers if name.casefold() not in {one.casefold() for one in done}]
    page = f"{settings.public_url}/api/releases/{request.release}"
    body = messages.reminder(request.environment, missing, request.expires_at, page)
    marker = f"{request.release}-reminder-{request.environment}"
    for change in timeline.places_to_comment(record):
        try:
            github.upsert_comment(record.repository, change, record.commit.sha, marker, body)
        except DrawbridgeError as error:
            log.warning("the reminder for %s of %s was not written: %s", request.environment, request.release, error)
