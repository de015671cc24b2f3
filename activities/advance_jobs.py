"""Move a plan's jobs on: submit what can start, take in what has finished, start again what was lost."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any

import azure.durable_functions as df

from adapters import connect
from adapters.blobs import Blobs
from adapters.platform import Compute
from domain import blob_names
from domain.errors import NotFound
from domain.models import Job, JobPhase
from domain.wire import read
from settings import current

MAX_LOST = 3  # a job whose process vanishes this often is given up
MOST_METRICS = 100  # of one job: they go into the history
VANISHED = "the worker process ended"  # as a step of a validation
LAST_WORDS = 4000  # characters of what it printed
TAKEN_IN_AT_ONCE = 8  # results uploaded in one call: it must stay far below five minutes

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def advance_jobs(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"finished": {number: {"ok", "error"}}, "lost": {number: times}, "jobs": count, "rows": done, total}.

    Input: {"plan": blob, "part": of the plan, "submit": at the first look, "finished": numbers known to be over,
    "lost"}. Jobs go by their number in the plan's part, since names would fill the history. Safe to run twice: jobs are
    submitted by name, and results are written whole.
    """
    settings = current()
    return advance(
        payload["plan"],
        payload["part"],
        payload["submit"],
        payload["finished"],
        payload["lost"],
        connect.compute(settings),
        connect.blobs(settings),
    )


def advance(
    plan: str,
    part: str,
    submit: bool,
    known: Collection[str],
    lost: Mapping[str, int],
    compute: Compute,
    blobs: Blobs,
) -> dict[str, Any]:
    """Look at every job once and do what is due."""
    planned = blobs.read_json(plan)[part]
    jobs = {str(number): (read(Job, entry["job"]), entry["results"]) for number, entry in enumerate(planned)}
    if blobs.exists(blob_names.cancelled(plan)):
        return _cancel(jobs, known, compute)
    if submit:
        for job, _ in jobs.values():
            compute.submit(job)
    statuses = compute.status([job.name for job, _ in jobs.values()])
    lost = dict(lost)
    finished: dict[str, Any] = {}
    for (number, (job, results)), status in zip(jobs.items(), statuses, strict=True):
        if number in known or len(finished) >= TAKEN_IN_AT_ONCE:
            continue
        if status.phase is JobPhase.LOST:
            lost[number] = lost.get(number, 0) + 1
            if lost[number] < MAX_LOST:
                compute.submit(job)
                continue
        if status.phase in {JobPhase.DONE, JobPhase.FAILED, JobPhase.LOST}:
            finished[number] = _take_in(job, results, compute, blobs, status.error)
    rows = {"done": sum(status.done for status in statuses), "total": sum(status.total for status in statuses)}
    return {"finished": finished, "lost": lost, "jobs": len(jobs), "rows": rows}


def _take_in(job: Job, blob: str | None, compute: Compute, blobs: Blobs, error: str) -> dict[str, Any]:
    """Store a job's results, also those of a job that failed half-way: they show where."""
    results = compute.results_file(job.name)
    if blob and results.exists():
        blobs.upload_file(blob, results)
    try:
        result = compute.result(job.name)
    except NotFound:  # its process vanished before it could say anything
        result = {"ok": False}
        if blob and job.kind == "validate":
            error = _keep_last_words(job, blob, compute, blobs)
    return {
        "ok": bool(result.get("ok")),
        "error": str(result.get("error") or error)[:1000],
        "metrics": _numbers(result.get("metrics")),
    }


def _keep_last_words(job: Job, blob: str, compute: Compute, blobs: Blobs) -> str:
    """Keep what a validation printed last with its steps, and say what GitHub may read."""
    results = compute.results_file(job.name)
    steps = results.read_bytes() if results.exists() else b""
    step = {"step": VANISHED, "ok": False, "seconds": 0.0, "output_tail": compute.log_tail(job.name)[-LAST_WORDS:]}
    blobs.write(blob, steps + json.dumps(step, ensure_ascii=False).encode() + b"\n")
    return f"{VANISHED} without a result, {MAX_LOST} times"


def _numbers(metrics: Any) -> dict[str, float]:
    """Return what can be a metric of what a worker says are its metrics: it runs code that may say anything."""
    pairs = metrics.items() if isinstance(metrics, dict) else ()
    numbers = {str(name)[:100]: value for name, value in pairs if isinstance(value, int | float) and isfinite(value)}
    return dict(list(numbers.items())[:MOST_METRICS])


def _cancel(jobs: Mapping[str, tuple[Job, Any]], known: Collection[str], compute: Compute) -> dict[str, Any]:
    for job, _ in jobs.values():
        compute.cancel(job.name)
    finished = {number: {"ok": False, "error": "cancelled", "metrics": {}} for number in jobs if number not in known}
    return {"finished": finished, "lost": {}, "jobs": len(jobs), "rows": {"done": 0, "total": 0}}
