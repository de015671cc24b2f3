"""Aggregates over result lines."""

from __future__ import annotations

from typing import Any

import pytest

from evaluation.summary import summarize


def row(
    name: str,
    scores: dict[str, float] | None = None,
    error: str | None = None,
    latency: float | None = 1.0,
    tokens: int = 10,
) -> dict[str, Any]:
    return {"id": name, "scores": scores or {}, "error": error, "latency": latency, "tokens": tokens}


def test_mean_is_over_scored_rows_only():
    """A row with an error counts as errored; it is neither a zero nor missing."""
    totals = summarize([row("a", {"f1": 1.0}), row("b", {"f1": 0.5}), row("c", error="boom", latency=None)])

    assert (totals.rows, totals.scored, totals.errored) == (3, 2, 1)
    assert [(metric.name, metric.count, metric.mean) for metric in totals.metrics] == [("f1", 2, 0.75)]
    assert totals.failed_rows == ("c",)
    assert totals.tokens == 30


def test_each_metric_has_its_own_count():
    """A metric that only some rows have shows over how many it is."""
    totals = summarize([row("a", {"x": 1.0, "y": 2.0}), row("b", {"x": 3.0})])

    assert {metric.name: metric.count for metric in totals.metrics} == {"x": 2, "y": 1}


def test_a_single_row_has_no_interval():
    """One value says nothing about its spread."""
    (metric,) = summarize([row("a", {"f1": 0.3})]).metrics

    assert (metric.low, metric.high) == (None, None)


def test_latency_is_a_percentile_of_answered_rows():
    """p50 and p95 are latencies that were really seen."""
    totals = summarize([row(str(i), {"f1": 1.0}, latency=float(i)) for i in range(1, 101)])

    assert (totals.latency_p50, totals.latency_p95) == (50.0, 95.0)


def test_aggregated_metrics_stand_beside_the_means():
    """What an evaluation flow's aggregation computed is a metric without an interval."""
    totals = summarize([row("a", {"f1": 1.0})], {"grade.accuracy": 0.5})

    assert totals.metrics[1].name == "grade.accuracy"
    assert (totals.metrics[1].mean, totals.metrics[1].low) == (0.5, None)


def test_lowest_rows_are_shared_between_metrics():
    """With two metrics, each shows its lowest rows first."""
    totals = summarize([row(f"r{i}", {"a": i / 10, "b": 1 - i / 10}) for i in range(10)])

    assert [(low.id, low.metric) for low in totals.lowest[:2]] == [("r0", "a"), ("r1", "a")]
    assert [(low.id, low.metric) for low in totals.lowest[5:7]] == [("r9", "b"), ("r8", "b")]


def test_nan_is_never_averaged():
    """A score that is not a number is an error, not a smaller mean."""
    with pytest.raises(ValueError, match="not a finite number"):
        summarize([row("a", {"f1": float("nan")})])


def test_all_rows_errored_has_no_metric():
    """Nothing was scored: no mean, no latency, every row accounted for."""
    totals = summarize([row("a", error="x", latency=None), row("b", error="y", latency=None)])

    assert (totals.metrics, totals.latency_p95, totals.errored) == ((), None, 2)
