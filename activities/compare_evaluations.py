"""Compare an evaluation with an earlier one, row by row."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import azure.durable_functions as df

from adapters import connect, records
from adapters.blobs import Blobs
from domain import blob_names, gates
from domain.gates import Scores
from domain.models import Comparison, EvaluationSummary
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def compare_evaluations(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"summary", "comparison": null without an earlier one} for {"evaluation", "before": id or ""}."""
    blobs = connect.blobs(current())
    summary = read(EvaluationSummary, blobs.read_json(blob_names.summary(payload["evaluation"])))
    comparison = compare(summary, payload["before"], blobs)
    return {"summary": asdict(summary), "comparison": asdict(comparison) if comparison else None}


def compare(now: EvaluationSummary, before: str, blobs: Blobs) -> Comparison | None:
    """Compare the scored rows; None when the earlier evaluation is not stored, or is this one."""
    kept = blobs.read_json(blob_names.summary(before)) if before not in {"", now.id} else None
    if kept is None:
        return None
    earlier = read(EvaluationSummary, kept)
    return gates.compare(_scores(now.id, blobs), _scores(earlier.id, blobs), earlier, now.fingerprint)


def _scores(evaluation: str, blobs: Blobs) -> Scores:
    return {row["id"]: row["scores"] for row in records.read_rows(blobs, evaluation) if not row["error"]}
