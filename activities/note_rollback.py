"""Write on a release that an environment was rolled back to it by hand."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from domain import timeline
from domain.messages_promotion import gone_back
from domain.models import Deployment, ReleaseRecord
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def note_rollback(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"record"} of the release of {"deployment", "by"} with the note; run twice, it is noted once."""
    blobs = connect.blobs(current())
    deployment = read(Deployment, payload["deployment"])
    words = gone_back(deployment.environment, payload["by"])

    def note(record: ReleaseRecord) -> ReleaseRecord:
        return timeline.add_deployment(timeline.note(record, words), deployment)

    return {"record": asdict(records.change_record(blobs, deployment.release, note))}
