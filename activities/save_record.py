"""Keep the release record, from which pages and evidence are made."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect
from domain import blob_names
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="record")
def save_record(record: dict[str, Any]) -> None:
    """Write the record whole. The orchestration is its only writer, so the last one is right."""
    connect.blobs(current()).write_json(blob_names.record(record["id"]), record)
