"""Turn the rows of an evaluation into metrics, compare them with the baseline, judge the gates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df

from activities.plan_evaluation import SYNTAX
from adapters import audit, connect, durations
from adapters.blobs import Blobs
from adapters.records import read_rows
from domain import blob_names, gates
from domain.audit import APP
from domain.models import Comparison, EvaluationSummary, GateResult, Verdict
from domain.wire import digest_of, read
from evaluation.summary import summarize
from settings import current

bp = df.Blueprint()


@bp.activity_trigger(input_name="payload")
def conclude_evaluation(payload: dict[str, Any]) -> dict[str, Any]:
    """Return {"summary"} or {"cancelled": true} for {"id", "jobs": what they came to, "started_at"}."""
    now = datetime.now(UTC)
    seconds = (now - datetime.fromisoformat(payload["started_at"])).total_seconds()
    blobs = connect.blobs(current())
    if any(job["error"] == "cancelled" for job in payload["jobs"]):
        return {"cancelled": True}
    # A verdict, once given, stays: a second run of this activity finds it, also one at the same time.
    name = blob_names.summary(payload["id"])
    kept = blobs.read_json(name)
    if kept is None:
        blobs.create_json(name, asdict(conclude(payload["id"], payload["jobs"], seconds, now, blobs)))
        kept = blobs.read_json(name)
    durations.keep(blobs, kept["repository"], kept["kind"], kept["id"], kept["seconds"])
    trace(kept, blobs)
    return {"summary": kept}


def conclude(
    evaluation: str, jobs: list[dict[str, Any]], seconds: float, now: datetime, blobs: Blobs
) -> EvaluationSummary:
    """Bring together all shards; a row that no shard has is a row with an error, never a missing row."""
    plan = blobs.read_json(blob_names.plan(evaluation))
    rows = list(complete(plan["ids"], read_rows(blobs, evaluation), _failures(jobs)))
    extra = {name: value for job in jobs for name, value in job.get("metrics", {}).items()}
    totals = summarize(rows, extra)
    comparison = _comparison(plan, rows, blobs)
    results = gates.judge(plan["gates"], totals, comparison)
    results += _every_job(jobs) if plan["kind"] == SYNTAX else ()
    return EvaluationSummary(
        id=evaluation,
        kind=plan["kind"],
        repository=plan["repository"],
        commit=plan["commit"],
        dataset=plan["dataset"],
        fingerprint=plan["fingerprint"],
        rows=totals.rows,
        scored=totals.scored,
        errored=totals.errored,
        metrics=totals.metrics,
        gates=results,
        verdict=gates.verdict(results),
        latency_p50=totals.latency_p50,
        latency_p95=totals.latency_p95,
        tokens=totals.tokens,
        seconds=round(seconds, 3),
        lowest=totals.lowest,
        failed_rows=totals.failed_rows,
        comparison=comparison,
        finished_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def trace(kept: dict[str, Any], blobs: Blobs) -> None:
    """Record what the gates came to, with the digest of the summary as it is stored."""
    summary = read(EvaluationSummary, kept)
    rules = (f"{gate.rule}: {gate.verdict.value} ({gate.detail})" for gate in summary.gates)
    audit.record(
        blobs,
        key=f"{summary.id}:verdict",
        what="verdict",
        who=APP,
        subject=summary.id,
        evidence=digest_of(kept),
        details={
            "verdict": summary.verdict.value,
            "kind": summary.kind,
            "repository": summary.repository,
            "commit": summary.commit,
            "gates": "; ".join(rules),
        },
    )


def _every_job(jobs: list[dict[str, Any]]) -> tuple[GateResult, ...]:
    """Judge what no row shows: an aggregation that fails leaves its metrics out, and no gate asks for them here."""
    failed = sum(1 for job in jobs if not job["ok"])
    return (GateResult("every job ends well", Verdict.FAILED, f"{failed} of {len(jobs)} failed"),) if failed else ()


def complete(ids: Iterable[str], rows: Iterable[dict[str, Any]], failures: str) -> Iterable[dict[str, Any]]:
    """Yield exactly one row per id, in the plan's order."""
    found = {row["id"]: row for row in rows}
    for row_id in ids:
        yield found.get(row_id) or {
            "id": row_id,
            "inputs": {},
            "output": None,
            "scores": {},
            "error": f"not evaluated: {failures or 'its shard returned no result for it'}",
            "latency": None,
            "tokens": 0,
            "attempts": 0,
        }


def _failures(jobs: list[dict[str, Any]]) -> str:
    return "; ".join(sorted({job["error"] for job in jobs if job["error"]}))


def _comparison(plan: dict[str, Any], rows: list[dict[str, Any]], blobs: Blobs) -> Comparison | None:
    if plan["baseline"] is None:
        return None
    kept = blobs.read_json(blob_names.summary(plan["baseline"]))
    if kept is None:
        return Comparison(plan["baseline"], "", "the baseline's results are no longer stored")
    baseline = read(EvaluationSummary, kept)
    now = {row["id"]: row["scores"] for row in rows if not row["error"]}
    before = {row["id"]: row["scores"] for row in read_rows(blobs, plan["baseline"]) if not row["error"]}
    return gates.compare(now, before, baseline, plan["fingerprint"])
