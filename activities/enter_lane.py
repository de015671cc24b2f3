"""Ask to deploy to an environment: one release at a time, the older commit first, never an older one over a newer."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.durable_functions as df

from adapters import branch_order, connect, lanes, records
from domain.branch_line import Place
from domain.config import Environment
from domain.lanes import Answer, Entry, Lane, Turn, enter, leave
from domain.models import Outcome
from domain.wire import read
from settings import Settings, current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def enter_lane(payload: dict[str, Any]) -> dict[str, Any]:
    """Return an Entry and "look": seconds until it pays to ask again. Asked twice, a holder is in already.

    Input: {"repository", "environment": config, "turn": Turn}.
    """
    settings = current()
    entry = ask(payload, settings)
    return {**asdict(entry), "look": settings.look_seconds}


def ask(wanted: dict[str, Any], settings: Settings) -> Entry:
    """Take a place in the lane, or in; a release that was ended or barred meanwhile gives it back, and is told so."""
    blobs, look = connect.blobs(settings), timedelta(seconds=settings.look_seconds)
    environment, turn = read(Environment, wanted["environment"]), read(Turn, wanted["turn"])
    entries: list[Entry] = []

    def step(lane: Lane) -> Lane:
        mine = Place(turn.sha, turn.position)
        branch = settings.release_branch.of(wanted["repository"])
        newer = branch_order.newer_in(lane, turn.release, mine, lambda: connect.github(settings), branch)
        after, entry = enter(lane, turn, environment, datetime.now(UTC), look, newer)
        entries.append(entry)
        return after

    lanes.change(blobs, wanted["repository"], environment.name, step)
    # Looked at afterwards: whoever ends a release says so first, and then frees its lanes.
    record = None if turn.rollback else records.find_record(blobs, turn.release)
    if record and record.outcome is not Outcome.RUNNING:
        lanes.free(blobs, wanted["repository"], turn.release)
        return Entry(Answer.BARRED, record.reason)
    # Afterwards as well: whoever bars a release says so first, and then bars it in each lane that is there.
    bar = None if turn.rollback else lanes.find_bar(blobs, turn.release)
    if bar:
        lanes.change(blobs, wanted["repository"], environment.name, lambda lane: leave(lane, turn.release))
        return Entry(Answer.BARRED, bar.why)
    return entries[-1]
