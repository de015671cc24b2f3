"""Look at what has changed around a release while it waited: its debt, its opt-outs, what runs where it wants to go."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect, debts, lanes
from adapters.blobs import Blobs
from domain import blob_names
from domain.lanes import overtaken_by
from domain.models import EvaluationSummary, OptOut
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def look_around(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"superseded_by", "debt", "summary": of the evaluation that settled it, "opt_outs": honoured now}.

    Input: {"release", "repository", "sha", "position", "environment": asked about, "lane": it leads to}.
    """
    return look(payload, connect.blobs(current()))


def look(wanted: dict[str, Any], blobs: Blobs) -> dict[str, Any]:
    """Read it all from blobs: nothing here waits for anybody."""
    lane = lanes.read(blobs, wanted["repository"], wanted["lane"])
    debt = debts.find(blobs, wanted["repository"], wanted["sha"])
    summary = blobs.read_json(blob_names.summary(debt.evaluation)) if debt and debt.evaluation else None
    kept = blobs.read_json(blob_names.opt_outs(wanted["release"])) or {"changes": {}}
    return {
        "superseded_by": overtaken_by(lane, wanted["release"], wanted["position"]),
        "debt": asdict(debt) if debt else None,
        "summary": asdict(read(EvaluationSummary, summary)) if summary else None,
        "opt_outs": [asdict(read(OptOut, one)) for one in kept["changes"].values() if one and not one["refused"]],
    }
