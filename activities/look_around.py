"""Look at what has changed around a release while it waited: its debt, its opt-outs, what runs where it wants to go."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import branch_order, connect, debts, lanes
from domain import blob_names
from domain.branch_line import Place
from domain.lanes import overtaken_by
from domain.models import EvaluationSummary, OptOut
from domain.wire import read
from settings import Settings, current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def look_around(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"superseded_by", "debt", "summary": of the evaluation that settled it, "opt_outs": honoured now}.

    Input: {"release", "repository", "sha", "position", "environment": asked about, "lane": it leads to}.
    """
    return look(payload, current())


def look(wanted: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Read it all from blobs, and ask GitHub only about a rewritten branch: nothing here waits for anybody."""
    blobs = connect.blobs(settings)
    debt = debts.find(blobs, wanted["repository"], wanted["sha"])
    summary = blobs.read_json(blob_names.summary(debt.evaluation)) if debt and debt.evaluation else None
    kept = blobs.read_json(blob_names.opt_outs(wanted["release"])) or {"changes": {}}
    return {
        "superseded_by": _superseded_by(wanted, settings),
        "debt": asdict(debt) if debt else None,
        "summary": asdict(read(EvaluationSummary, summary)) if summary else None,
        "opt_outs": [asdict(read(OptOut, one)) for one in kept["changes"].values() if one and not one["refused"]],
    }


def _superseded_by(wanted: dict[str, Any], settings: Settings) -> str:
    """Return the newer release that runs there; none while nobody knows: whoever enters the lane has to know."""
    repository, release, position = wanted["repository"], wanted["release"], wanted["position"]
    lane = lanes.read(connect.blobs(settings), repository, wanted["lane"])
    mine = Place(wanted["sha"], position)
    branch = settings.release_branch.of(repository)
    newer = branch_order.newer_in(lane, release, mine, lambda: connect.github(settings), branch)
    return overtaken_by(lane, release, position, newer) or ""
