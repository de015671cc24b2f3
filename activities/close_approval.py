"""Close the question to the approvers, so that late votes are told it is decided."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain import blob_names
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def close_approval(payload: dict[str, Any]) -> None:
    """Write what the votes of {"release", "environment", "decision"} came to."""
    name = blob_names.approval_outcome(payload["release"], payload["environment"])
    connect.blobs(current()).create_json(name, {"decision": payload["decision"]})
