"""Look at the votes on an environment, and at what has changed around the release: blobs are the truth, events ring."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from activities.look_around import look
from adapters import connect, records
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def look_at_approval(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"request", "votes": of its round, in the order they were given, "around": see look_around}.

    Input: as for look_around; `environment` is the one asked about.
    """
    settings = current()
    blobs = connect.blobs(settings)
    request = records.need_request(blobs, payload["release"], payload["environment"])
    votes = [asdict(vote) for vote in records.read_votes(blobs, request)]
    return {"request": asdict(request), "votes": votes, "around": look(payload, settings)}
