"""Leave nothing behind a release that is over and told: no place in a lane, no open question, a line in the audit."""

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
    """Tidy up after the release of {"record"}, which has its outcome, and which GitHub will hear of."""
    blobs, record = connect.blobs(current()), read(ReleaseRecord, payload["record"])
    closing.tidy(blobs, record)
    closing.told(blobs, record.id)
