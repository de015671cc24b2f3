"""Ask a running evaluation to stop: nobody needs its verdict any more."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain import blob_names
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def cancel_evaluation(payload: dict[str, Any]) -> None:
    """Leave a mark beside the plan of {"id"}: its jobs are cancelled at the next look."""
    connect.blobs(current()).write(blob_names.cancelled(blob_names.plan(payload["id"])), b"")
