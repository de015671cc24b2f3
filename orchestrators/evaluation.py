"""Evaluate one target over one dataset: plan, run the shards, aggregate, judge."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.conclude_evaluation import conclude_evaluation
from activities.plan_evaluation import plan_evaluation
from orchestrators.retries import PATIENTLY

bp = df.Blueprint()


@bp.orchestration_trigger(context_name="context")
def evaluation(context: df.DurableOrchestrationContext) -> Generator[Any, Any, Any]:
    """Return {"summary": EvaluationSummary} or, when there is nothing to evaluate with, {"error": why}.

    Input: {"id", "kind", "repository", "commit", "snapshot", "config"}. Rows and plan stay in blobs.
    """
    wanted = context.get_input()
    started = context.current_utc_datetime.isoformat()
    plan = yield context.call_activity_with_retry(plan_evaluation, PATIENTLY, wanted)
    if "error" in plan:
        return plan
    jobs = []
    for part in plan["parts"]:
        work = {"plan": plan["blob"], "part": part, "poll": plan["poll"], "stage": plan["stage"]}
        jobs += yield context.call_sub_orchestrator("run_jobs", work, f"{context.instance_id}:{part}")
    conclusion = {"id": wanted["id"], "jobs": jobs, "started_at": started}
    return (yield context.call_activity_with_retry(conclude_evaluation, PATIENTLY, conclusion))
