"""From rows to metrics: each with its count, mean and interval; nothing is dropped silently. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.models import Metric, RowChange
from domain.statistics import mean_interval, percentile

MOST_LOWEST = 10  # rows named per evaluation
MOST_FAILED = 20


@dataclass(frozen=True)
class Totals:
    """What the rows of an evaluation come to. `lowest` has the rows that scored lowest, of the first metric first."""

    rows: int
    scored: int
    errored: int
    metrics: tuple[Metric, ...]
    latency_p50: float | None
    latency_p95: float | None
    tokens: int
    lowest: tuple[RowChange, ...]
    failed_rows: tuple[str, ...]


def summarize(results: Iterable[Mapping[str, Any]], extra_metrics: Mapping[str, float] | None = None) -> Totals:
    """Aggregate result lines; `extra_metrics` are what the aggregation of evaluation flows gave over all rows.

    Raises ValueError for a score that is not a finite number.
    """
    rows = list(results)
    scored = [row for row in rows if not row["error"]]
    latencies = [row["latency"] for row in scored if row["latency"] is not None]
    extra = [Metric(name, len(scored), value, None, None) for name, value in (extra_metrics or {}).items()]
    return Totals(
        rows=len(rows),
        scored=len(scored),
        errored=len(rows) - len(scored),
        metrics=(*_metrics(scored), *extra),
        latency_p50=percentile(latencies, 50) if latencies else None,
        latency_p95=percentile(latencies, 95) if latencies else None,
        tokens=sum(row["tokens"] for row in rows),
        lowest=_lowest(scored),
        failed_rows=tuple(row["id"] for row in rows if row["error"])[:MOST_FAILED],
    )


def _metrics(scored: Sequence[Mapping[str, Any]]) -> list[Metric]:
    values: dict[str, list[float]] = {}
    for row in scored:
        for name, score in row["scores"].items():
            values.setdefault(name, []).append(score)
    estimates = {name: mean_interval(scores) for name, scores in values.items()}
    return [Metric(name, found.count, found.mean, found.low, found.high) for name, found in estimates.items()]


def _lowest(scored: Sequence[Mapping[str, Any]]) -> tuple[RowChange, ...]:
    """Take turns between the metrics, lowest score first: one metric alone must not fill the list."""
    names = list(dict.fromkeys(name for row in scored for name in row["scores"]))
    share = -(-MOST_LOWEST // len(names)) if names else 0
    found: list[RowChange] = []
    for name in names:
        rows = [RowChange(row["id"], name, None, row["scores"][name]) for row in scored if name in row["scores"]]
        found += sorted(rows, key=lambda row: (row.after, row.id))[:share]
    return tuple(found[:MOST_LOWEST])
