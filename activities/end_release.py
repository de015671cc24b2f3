"""Leave nothing behind a release that is over: no place in a lane, no open question, and a line in the audit log."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import closing, connect
from domain.models import ReleaseRecord
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def end_release(payload: dict[str, Any]) -> None:
    """Tidy up after the release of {"record"}, which has its outcome."""
    closing.tidy(connect.blobs(current()), read(ReleaseRecord, payload["record"]))
