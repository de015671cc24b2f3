"""Evaluate one target over one dataset: plan, run the shards, aggregate, judge."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import azure.durable_functions as df

from activities.conclude_evaluation import conclude_evaluation
from activities.plan_evaluation import plan_evaluation
from orchestrators.jobs import run_jobs
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
    shards = yield _jobs(context, plan, plan["shards"], "shards")
    aggregates = (yield _jobs(context, plan, plan["aggregates"], "aggregates")) if plan["aggregates"] else {}
    return (
        yield context.call_activity_with_retry(
            conclude_evaluation,
            PATIENTLY,
            {"id": wanted["id"], "jobs": shards | aggregates, "started_at": started},
        )
    )


def _jobs(context: df.DurableOrchestrationContext, plan: dict[str, Any], names: list[str], part: str) -> Any:
    return context.call_sub_orchestrator(
        run_jobs,
        {"plan": plan["blob"], "names": names, "poll": plan["poll"], "stage": plan["stage"]},
        f"{context.instance_id}:{part}",
    )
