"""Read the votes on an environment: the blobs are the truth, events only ring."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from domain.models import ApprovalRequest
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="request")
def read_votes(request: dict[str, Any]) -> list[Any]:
    """Return the votes on an ApprovalRequest in the order they were given."""
    votes = records.read_votes(connect.blobs(current()), read(ApprovalRequest, request))
    return [asdict(vote) for vote in votes]
