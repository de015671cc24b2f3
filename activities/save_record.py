"""Keep the release record, from which pages and evidence are made."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from domain.models import ReleaseRecord
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="record")
def save_record(record: dict[str, Any]) -> None:
    """Write the record, and its row in the list, unless the release has ended meanwhile."""
    records.save_record(connect.blobs(current()), read(ReleaseRecord, record))
