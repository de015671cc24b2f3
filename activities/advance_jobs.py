"""Move a plan's jobs on: submit what can start, take in what has finished, start again what was lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import azure.durable_functions as df
from adapters.platform import Compute

from adapters import connect
from adapters.blobs import Blobs
from domain import blob_names
from domain.errors import NotFound
from domain.models import Job, JobPhase
from domain.wire import read
from settings import current

MAX_LOST = 3  # a job whose process vanishes this often is given up
TAKEN_IN_AT_ONCE = 8  # results uploaded in one call: it must stay far below five minutes

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def advance_jobs(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"finished": {name: {"ok", "error"}}, "lost": {name: times}, "rows": {"done", "total"}}.

    Input: {"plan": blob, "names", "submit": at the first look, "finished": names known to be over, "lost"}. Safe to run
    twice: jobs are submitted by name, and results are written whole.
    """
    settings = current()
    return advance(
        payload["plan"],
        payload["names"],
        payload["submit"],
        payload["finished"],
        payload["lost"],
        connect.compute(settings),
        connect.blobs(settings),
    )


def advance(
    plan: str,
    names: list[str],
    submit: bool,
    known: Collection[str],
    lost: Mapping[str, int],
    compute: Compute,
    blobs: Blobs,
) -> dict[str, Any]:
    """Look at every job once and do what is due."""
    jobs = blobs.read_json(plan)["jobs"]
    lost = dict(lost)
    finished: dict[str, Any] = {}
    if blobs.exists(blob_names.cancelled(plan)):
        for name in names:
            compute.cancel(name)
        return {"finished": _all_cancelled(names, known), "lost": lost, "rows": {"done": 0, "total": 0}}
    for name in names if submit else []:
        compute.submit(read(Job, jobs[name]["job"]))
    statuses = compute.status(names)
    for status in statuses:
        if status.name in known or len(finished) >= TAKEN_IN_AT_ONCE:
            continue
        if status.phase is JobPhase.LOST:
            lost[status.name] = lost.get(status.name, 0) + 1
            if lost[status.name] < MAX_LOST:
                compute.submit(read(Job, jobs[status.name]["job"]))
                continue
        if status.phase in {JobPhase.DONE, JobPhase.FAILED, JobPhase.LOST}:
            finished[status.name] = _take_in(status.name, jobs[status.name]["results"], compute, blobs, status.error)
    rows = {"done": sum(status.done for status in statuses), "total": sum(status.total for status in statuses)}
    return {"finished": finished, "lost": lost, "rows": rows}


def _take_in(name: str, blob: str | None, compute: Compute, blobs: Blobs, error: str) -> dict[str, Any]:
    """Store a job's results, also those of a job that failed half-way: they show where."""
    results = compute.results_file(name)
    if blob and results.exists():
        blobs.upload_file(blob, results)
    try:
        result = compute.result(name)
    except NotFound:  # its process vanished before it could say anything
        result = {"ok": False}
    return {
        "ok": bool(result.get("ok")),
        "error": str(result.get("error") or error)[:1000],
        "metrics": result.get("metrics", {}),
    }


def _all_cancelled(names: list[str], known: Collection[str]) -> dict[str, Any]:
    return {name: {"ok": False, "error": "cancelled", "metrics": {}} for name in names if name not in known}
