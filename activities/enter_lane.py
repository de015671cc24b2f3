"""Ask to deploy to an environment: one release at a time, the older commit first, never an older one over a newer."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df

from adapters import connect, lanes
from domain.config import Environment
from domain.lanes import Entry, Lane, Turn, enter
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def enter_lane(payload: dict[str, Any]) -> dict[str, Any]:
    """Return an Entry and "look": seconds until it pays to ask again. Asked twice, a holder is in already.

    Input: {"repository", "environment": config, "turn": Turn}.
    """
    settings = current()
    environment, turn = read(Environment, payload["environment"]), read(Turn, payload["turn"])
    look = timedelta(seconds=settings.look_seconds)
    entries: list[Entry] = []

    def step(lane: Lane) -> Lane:
        after, entry = enter(lane, turn, environment, datetime.now(UTC), look)
        entries.append(entry)
        return after

    lanes.change(connect.blobs(settings), payload["repository"], environment.name, step)
    return {**asdict(entries[-1]), "look": settings.look_seconds}
