"""Make a released commit's evaluations the baseline that the next release is compared with."""

from __future__ import annotations

from functools import partial
from typing import Any

import azure.durable_functions as df

from adapters import connect
from adapters.blobs import Blobs
from domain import blob_names, gates
from domain.models import EvaluationSummary
from domain.wire import read
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def keep_baseline(payload: dict[str, Any]) -> None:
    """Keep the evaluations of {"release", "evaluations": EvaluationSummaries, "at": when production ran them}."""
    summaries = [read(EvaluationSummary, summary) for summary in payload["evaluations"]]
    keep(payload["release"], summaries, payload["at"], connect.blobs(current()))


def keep(release: str, summaries: list[EvaluationSummary], at: str, blobs: Blobs) -> None:
    """Point each dataset's baseline at the evaluation that may be one, unless a release after this one has done so."""
    for summary in summaries:
        if gates.may_be_baseline(summary):
            ours = {"evaluation": summary.id, "commit": summary.commit, "release": release, "at": at}
            name = blob_names.baseline(summary.repository, summary.dataset)
            blobs.change_json(name, partial(_newer, ours))


def _newer(ours: dict[str, str], there: dict[str, str] | None) -> dict[str, str]:
    return there if there and there["at"] > ours["at"] else ours
