"""Make a released commit's evaluations the baseline that the next release is compared with."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df

from adapters import connect
from adapters.blobs import Blobs
from domain import blob_names
from domain.models import EvaluationSummary, Verdict
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def keep_baseline(payload: dict[str, Any]) -> None:
    """Keep the evaluations of {"release", "evaluations": ids}."""
    keep(payload["release"], payload["evaluations"], connect.blobs(current()))


def keep(release: str, evaluations: list[str], blobs: Blobs) -> None:
    """Point each dataset's baseline at the evaluation that passed on it."""
    for evaluation in evaluations:
        summary = read(EvaluationSummary, blobs.read_json(blob_names.summary(evaluation)))
        if summary.verdict is Verdict.PASSED:
            name = blob_names.baseline(summary.repository, summary.dataset)
            blobs.write_json(name, {"evaluation": summary.id, "commit": summary.commit, "release": release})
