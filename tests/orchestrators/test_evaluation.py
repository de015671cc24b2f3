"""Planning, running and judging an evaluation."""

from __future__ import annotations

from typing import Any

from orchestrators.evaluation import evaluation
from tests.orchestrators.stage import Stage

ORDER = {"id": "release-x.full", "kind": "full"}
PLAN = {"blob": "p", "parts": ["shards"], "poll": 5, "stage": "evaluate-full"}


def stage_with(plan: Any) -> Stage:
    """Return a stage where every job succeeds."""
    return Stage(
        {"plan_evaluation": lambda _: plan, "conclude_evaluation": lambda order: {"summary": order["jobs"]}},
        {"run_jobs": lambda work: [{"ok": True, "error": "", "metrics": {}, "part": work["part"]}]},
    )


def test_shards_run_and_are_judged() -> None:
    """What each job came to reaches the conclusion, with the time the evaluation began."""
    stage = stage_with(PLAN)

    output = stage.play(evaluation, ORDER, "release-x.full")

    assert [job["part"] for job in output["summary"]] == ["shards"]
    assert stage.payloads("conclude_evaluation")[0]["started_at"].startswith("2026-11-23T09:00:00")


def test_aggregation_comes_after_all_shards() -> None:
    """An evaluation flow aggregates over all rows, so it waits for them."""
    stage = stage_with({**PLAN, "parts": ["shards", "aggregates"]})

    output = stage.play(evaluation, ORDER, "release-x.full")

    assert [work["part"] for work in stage.payloads("run_jobs")] == ["shards", "aggregates"]
    assert [job["part"] for job in output["summary"]] == ["shards", "aggregates"]


def test_dataset_that_cannot_be_read_is_an_answer() -> None:
    """Nothing runs, and the person who can mend it reads the line."""
    stage = stage_with({"error": "data/full.jsonl:3: not JSON"})

    assert stage.play(evaluation, ORDER) == {"error": "data/full.jsonl:3: not JSON"}
    assert stage.payloads("run_jobs") == []
