"""The evaluation report, and the card that stands for an evaluation on other pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from markupsafe import Markup

from domain.gates import MOST_WORSE, parse_gate
from domain.models import (
    Comparison,
    EvaluationSummary,
    GateResult,
    Metric,
    MetricChange,
    RowChange,
    Verdict,
)
from triggers import charts
from triggers.views.common import (
    NONE,
    Chip,
    Link,
    Moment,
    count,
    duration,
    evaluation_url,
    interval,
    moment,
    number,
    release_url,
    signed,
    verdict_chip,
)
from triggers.views.rows import (
    PAGE_ROWS,
    Pages,
    RegressionView,
    Row,
    RowView,
    by_id,
    lowest_first,
    regression_view,
    row_view,
    take_page,
)

CARD_ROWS = 5  # worst rows on a card; the report has all

RowsByEvaluation = Mapping[str, Iterable[Row]]  # row ids repeat from one dataset to the next


@dataclass(frozen=True)
class MetricView:
    name: str
    mean: str
    interval: str
    count: int
    before: str  # empty without a baseline
    difference: str
    difference_interval: str


@dataclass(frozen=True)
class GateView:
    rule: str
    chip: Chip
    detail: str


@dataclass(frozen=True)
class CardView:
    """An evaluation in brief, as the release page and the approval page show it."""

    anchor: str  # unique on the page
    title: str
    url: str
    chip: Chip
    sentence: str
    dataset: str
    counts: str
    latency: str
    tokens: str
    took: str
    finished: Moment | None
    metrics: tuple[MetricView, ...]
    gates: tuple[GateView, ...]
    comparison: str
    compared: bool  # there are values before
    worst: tuple[RegressionView, ...]
    worst_title: str


@dataclass(frozen=True)
class ChartView:
    anchor: str
    name: str
    caption: str
    interval: Markup
    distribution: Markup | None
    with_baseline: bool
    with_gate: bool


@dataclass(frozen=True)
class EvaluationView:
    title: str
    trail: tuple[Link, ...]
    repository: str
    commit: str
    commit_short: str
    baseline: Link | None
    card: CardView
    charts: tuple[ChartView, ...]
    regressions: tuple[RegressionView, ...]
    more_regressions: int
    lowest: tuple[RegressionView, ...]  # only when the rows themselves are no longer there
    failed: tuple[RowView, ...]
    more_failed: int
    rows: tuple[RowView, ...]
    pages: Pages


def evaluation_page(
    summary: EvaluationSummary,
    rows: Iterable[Row],
    now: datetime,
    *,
    baseline_rows: Iterable[Row] = (),
    release: str = "",
    page: int = 1,
) -> EvaluationView:
    """Build the report of one evaluation from its summary and its result rows, optionally with the baseline's."""
    current, before = by_id(rows), by_id(baseline_rows)
    shown, pages = take_page(lowest_first(current.values()), page, evaluation_url(summary.id))
    failed = [row for row in current.values() if row.get("error")] or [_unknown(id) for id in summary.failed_rows]
    worse = summary.comparison.worse if summary.comparison else ()
    return EvaluationView(
        title=f"{_title(summary)} of {summary.commit[:8]}",
        trail=_trail(release),
        repository=summary.repository,
        commit=summary.commit,
        commit_short=summary.commit[:8],
        baseline=_baseline_link(summary.comparison),
        card=card(summary, now),
        charts=tuple(
            _chart(index, metric, summary, current, before) for index, metric in enumerate(summary.metrics, start=1)
        ),
        regressions=tuple(regression_view(change, current, before) for change in worse[:PAGE_ROWS]),
        more_regressions=max(0, len(worse) - PAGE_ROWS),
        lowest=() if current else tuple(regression_view(change, {}, {}) for change in summary.lowest),
        failed=tuple(row_view(row) for row in failed[:PAGE_ROWS]),
        more_failed=max(0, summary.errored - len(failed[:PAGE_ROWS])),
        rows=tuple(row_view(row) for row in shown),
        pages=pages,
    )


def card(summary: EvaluationSummary, now: datetime, rows: RowsByEvaluation = MappingProxyType({})) -> CardView:
    """Build the card of one evaluation; with its `rows` and the baseline's the worst rows show their text."""
    comparison = summary.comparison
    changes = {change.name: change for change in comparison.metrics} if comparison else {}
    title, worst = _worst(summary)
    known = by_id(rows.get(summary.id, ()))
    before = by_id(rows.get(comparison.baseline, ())) if comparison else {}
    return CardView(
        anchor=f"evaluation-{summary.kind}",
        title=_title(summary),
        url=evaluation_url(summary.id),
        chip=verdict_chip(summary.verdict),
        sentence=verdict_sentence(summary.verdict, summary.gates),
        dataset=summary.dataset,
        counts=f"{count(summary.rows, 'row')}: {summary.scored:,} scored, {summary.errored:,} errored",
        latency=f"{number(summary.latency_p50)} s median, {number(summary.latency_p95)} s p95",
        tokens=f"{summary.tokens:,}",
        took=duration(summary.seconds),
        finished=moment(summary.finished_at, now),
        metrics=tuple(metric_view(metric, changes.get(metric.name)) for metric in summary.metrics),
        gates=tuple(GateView(gate.rule, verdict_chip(gate.verdict), gate.detail) for gate in summary.gates),
        comparison=comparison_sentence(comparison),
        compared=bool(changes),
        worst=tuple(regression_view(change, known, before) for change in worst[:CARD_ROWS]),
        worst_title=title,
    )


def metric_view(metric: Metric, change: MetricChange | None) -> MetricView:
    return MetricView(
        name=metric.name,
        mean=number(metric.mean),
        interval=interval(metric.low, metric.high),
        count=metric.count,
        before=number(change.before) if change else NONE,
        difference=signed(change.difference) if change else NONE,
        difference_interval=interval(change.low, change.high, signed) if change else "",
    )


def verdict_sentence(verdict: Verdict, gates: Sequence[GateResult]) -> str:
    """The verdict as a sentence that names the gates behind it."""
    if not gates:
        return f"{verdict.value.capitalize()}: no gates are configured for it."
    rules = ", ".join(gate.rule for gate in gates if gate.verdict is verdict)
    if verdict is Verdict.PASSED:
        return "Passed: its one gate holds." if len(gates) == 1 else f"Passed: all {len(gates)} gates hold."
    if verdict is Verdict.FAILED:
        return f"Failed: {rules}." if rules else "Failed."
    return f"Inconclusive: these rows cannot decide {rules}." if rules else "Inconclusive."


def comparison_sentence(comparison: Comparison | None) -> str:
    """What this evaluation was compared with, or why it was not."""
    if comparison is None:
        return "No baseline yet, so there is nothing to compare with."
    if comparison.refused:
        return f"Not compared with the baseline: {comparison.refused}"
    more = " or more" if len(comparison.worse) >= MOST_WORSE else ""
    worse = f"{len(comparison.worse) or 'no'}{more} rows scored worse"
    return f"Compared row by row with the baseline from {comparison.commit[:8]}: {worse}."


def _title(summary: EvaluationSummary) -> str:
    return f"{summary.kind.capitalize()} evaluation"


def _trail(release: str) -> tuple[Link, ...]:
    return (Link("Release", release_url(release)),) if release else ()


def _baseline_link(comparison: Comparison | None) -> Link | None:
    return Link(comparison.commit[:8], evaluation_url(comparison.baseline)) if comparison else None


def _worst(summary: EvaluationSummary) -> tuple[str, tuple[RowChange, ...]]:
    if summary.comparison and summary.comparison.worse:
        return "Rows that got worse", summary.comparison.worse
    return "Lowest rows", summary.lowest


def _chart(
    index: int, metric: Metric, summary: EvaluationSummary, rows: dict[str, Row], baseline: dict[str, Row]
) -> ChartView:
    changes = summary.comparison.metrics if summary.comparison else ()
    change = next((change for change in changes if change.name == metric.name), None)
    threshold = gate_threshold(metric.name, summary.gates)
    before = change.before if change else None
    caption = _caption(metric, threshold, before)
    anchor = f"chart-{index}"
    values, old = _scores(metric.name, rows), _scores(metric.name, baseline)
    return ChartView(
        anchor=anchor,
        name=metric.name,
        caption=caption,
        interval=charts.interval(anchor, metric, caption, threshold=threshold, before=before),
        distribution=charts.distribution(f"{anchor}-rows", metric.name, values, old) if values else None,
        with_baseline=before is not None,
        with_gate=threshold is not None,
    )


def gate_threshold(metric: str, gates: Sequence[GateResult]) -> float | None:
    """The value a gate such as `f1 >= 0.45` sets for the metric itself; gates on its drop have none to draw."""
    parsed = [parse_gate(gate.rule) for gate in gates]
    return next((gate.limit for gate in parsed if gate.metric == metric and not gate.drop), None)


def _caption(metric: Metric, threshold: float | None, before: float | None) -> str:
    parts = [f"{metric.name} {number(metric.mean)}"]
    if metric.low is not None:
        parts.append(f"95\N{NO-BREAK SPACE}% interval {interval(metric.low, metric.high)}")
    if before is not None:
        parts.append(f"baseline {number(before)}")
    if threshold is not None:
        parts.append(f"gate at {number(threshold)}")
    return ", ".join(parts)


def _scores(metric: str, rows: dict[str, Row]) -> list[float]:
    return [row["scores"][metric] for row in rows.values() if metric in row.get("scores", {})]


def _unknown(row_id: str) -> Row:
    return {"id": row_id, "error": "its text is no longer stored"}
