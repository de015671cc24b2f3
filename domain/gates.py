"""Gates: rules on metrics, judged in words a data scientist reads. Whatever cannot be judged does not pass."""

from __future__ import annotations

import hashlib
import json
import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domain.errors import Invalid
from domain.models import Comparison, EvaluationSummary, GateResult, Metric, MetricChange, RowChange, Verdict
from domain.statistics import detectable_drop, paired_difference

MINIMUM_PAIRS = 10  # with fewer, rows that agree by chance look like certainty
MOST_WORSE = 20
ERRORS = "errors"
LATENCIES = ("latency_p50", "latency_p95")

_GATE = re.compile(
    r"(?P<metric>[A-Za-z][\w.-]*)(?P<drop>\s+drop)?\s*(?P<sign>>=|<=|>|<)\s*(?P<limit>-?[0-9]+(\.[0-9]+)?)"
)
_INTERVAL = "95\N{NO-BREAK SPACE}% interval"
_SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_WORDS = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}

Scores = Mapping[str, Mapping[str, float]]  # row id -> score name -> value


@dataclass(frozen=True)
class Gate:
    """A rule on a metric. With `drop`, on how much the metric fell against the baseline."""

    text: str
    metric: str
    drop: bool
    sign: str
    limit: float

    def holds(self, value: float) -> bool:
        """Compare; NaN never holds."""
        return bool(_SIGNS[self.sign](value, self.limit))


class Measured(Protocol):
    """What an evaluation came to, as far as gates look at it. EvaluationSummary is one."""

    @property
    def rows(self) -> int: ...
    @property
    def scored(self) -> int: ...
    @property
    def errored(self) -> int: ...
    @property
    def metrics(self) -> tuple[Metric, ...]: ...
    @property
    def latency_p50(self) -> float | None: ...
    @property
    def latency_p95(self) -> float | None: ...


def parse_gate(text: str) -> Gate:
    """Read a rule such as "f1 >= 0.45", "errors <= 0.02", "latency_p95 <= 3.0" or "f1 drop <= 0.05".

    `errors` is the fraction of rows that ended in an error; latencies are seconds. Raises Invalid.
    """
    found = _GATE.fullmatch(text.strip())
    if found is None:
        raise Invalid(f'"{text}" is not a gate; expected a rule such as "f1 >= 0.45" or "f1 drop <= 0.05"')
    gate = Gate(text.strip(), found["metric"], bool(found["drop"]), found["sign"], float(found["limit"]))
    _check(gate)
    return gate


def _check(gate: Gate) -> None:
    special = gate.metric == ERRORS or gate.metric in LATENCIES
    if gate.drop and special:
        raise Invalid(f'"{gate.text}": only scores are compared with the baseline; expected "{gate.metric} <= ..."')
    if special and gate.sign not in ("<=", "<"):
        raise Invalid(f'"{gate.text}": more {gate.metric} is worse; expected an upper limit, "{gate.metric} <= ..."')
    if gate.drop and (gate.sign != "<=" or gate.limit < 0):
        raise Invalid(f'"{gate.text}": expected the largest drop to accept, such as "{gate.metric} drop <= 0.05"')
    if gate.metric == ERRORS and not 0 <= gate.limit <= 1:
        raise Invalid(f'"{gate.text}": errors is a fraction of the rows; expected a limit from 0 to 1, 2 % is 0.02')


def judge(gates: Sequence[str], measured: Measured, comparison: Comparison | None) -> tuple[GateResult, ...]:
    """Judge every gate; `comparison` is None as long as nothing was released that could be compared with."""
    broken = _unusable(measured)
    if broken:
        return tuple(GateResult(gate, Verdict.FAILED, broken) for gate in gates)
    return tuple(_judge(parse_gate(gate), measured, comparison) for gate in gates)


def verdict(results: Sequence[GateResult]) -> Verdict:
    """Failed if any gate failed or there is none, else inconclusive if any is, else passed."""
    verdicts = {result.verdict for result in results}
    if Verdict.FAILED in verdicts or not verdicts:
        return Verdict.FAILED
    return Verdict.INCONCLUSIVE if Verdict.INCONCLUSIVE in verdicts else Verdict.PASSED


def may_be_baseline(summary: EvaluationSummary) -> bool:
    """Say whether an evaluation that production passed is what the next ones are compared with.

    One that could not be compared replaces the old baseline, since nothing can be compared with that any more. An
    inconclusive one does not: small drops that nobody can see would add up.
    """
    if summary.verdict is Verdict.PASSED:
        return True
    refused = summary.comparison is not None and summary.comparison.refused is not None
    return refused and summary.verdict is not Verdict.FAILED


def fingerprint(dataset_hash: str, evaluators: Mapping[str, Any], columns: Mapping[str, str]) -> str:
    """Return a digest of everything two evaluations must have in common before they may be compared."""
    content = json.dumps([dataset_hash, evaluators, columns], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def compare(now: Scores, before: Scores, baseline: EvaluationSummary, now_fingerprint: str) -> Comparison:
    """Pair the scores of two evaluations row by row, or say why they must not be compared."""
    refused = None
    if now_fingerprint != baseline.fingerprint:
        refused = "the baseline was made with another dataset, other evaluators or other columns"
    elif not now.keys() & before.keys():
        refused = "no row of the baseline was scored in this evaluation"
    if refused:
        return Comparison(baseline.id, baseline.commit, refused)
    names = sorted({name for scores in before.values() for name in scores})
    changes = tuple(change for name in names if (change := _change(name, now, before)) is not None)
    return Comparison(baseline.id, baseline.commit, None, changes, _worse(names, now, before))


def _change(name: str, now: Scores, before: Scores) -> MetricChange | None:
    ids = sorted(row for row in before if name in before[row] and name in now.get(row, {}))
    if not ids:
        return None
    then, after = [before[row][name] for row in ids], [now[row][name] for row in ids]
    estimate = paired_difference(then, after)
    return MetricChange(
        name=name,
        count=len(ids),
        before=math.fsum(then) / len(ids),
        after=math.fsum(after) / len(ids),
        difference=estimate.mean,
        low=estimate.low,
        high=estimate.high,
        detectable=detectable_drop(then, after),
        lost=sum(name in scores for scores in before.values()) - len(ids),
    )


def _worse(names: list[str], now: Scores, before: Scores) -> tuple[RowChange, ...]:
    """Return the rows that fell most, the same number for each metric: one with a wide scale must not crowd others."""
    fallen: list[RowChange] = []
    for name in names:
        rows = [
            RowChange(row, name, scores[name], now[row][name])
            for row, scores in before.items()
            if name in scores and name in now.get(row, {}) and now[row][name] < scores[name]
        ]
        rows.sort(key=lambda row: (row.after - (row.before or 0.0), row.id))
        fallen += rows[: -(-MOST_WORSE // len(names))]
    return tuple(fallen[:MOST_WORSE])


def _unusable(measured: Measured) -> str:
    """Return why no gate can be judged at all, or nothing."""
    if measured.scored + measured.errored != measured.rows:
        return (
            f"{measured.rows} rows were given, but {measured.scored} scored and {measured.errored} errored rows came "
            "back: results are missing, run the evaluation again"
        )
    if measured.scored == 0:
        return f"no row was scored: {measured.errored} of {measured.rows} rows ended in an error"
    return ""


def _judge(gate: Gate, measured: Measured, comparison: Comparison | None) -> GateResult:
    if gate.drop:
        return _judge_drop(gate, measured, comparison)
    if gate.metric == ERRORS:
        share = measured.errored / measured.rows
        return _decided(gate, share, f"{measured.errored} of {measured.rows} rows ended in an error")
    if gate.metric in LATENCIES:
        seconds = measured.latency_p50 if gate.metric == "latency_p50" else measured.latency_p95
        if seconds is None:
            return GateResult(gate.text, Verdict.FAILED, "no row has a latency")
        return _decided(gate, seconds, "in seconds")
    return _judge_metric(gate, measured)


def _judge_metric(gate: Gate, measured: Measured) -> GateResult:
    metric = _named(gate.metric, measured.metrics)
    if metric is None:
        return GateResult(gate.text, Verdict.FAILED, _missing(gate.metric, measured))
    rows = "1 row" if metric.count == 1 else f"{metric.count} rows"
    if metric.count < measured.scored:
        rows = f"{metric.count} of {measured.scored} scored rows"
    if metric.low is None or metric.high is None:
        return _decided(gate, metric.mean, f"over {rows}")
    return _decided(gate, metric.mean, f"over {rows}, {_INTERVAL} {_interval(metric.low, metric.high)}")


def _decided(gate: Gate, value: float, basis: str) -> GateResult:
    """The point estimate decides; the interval is there for the reader."""
    passed = gate.holds(value)
    numbers = f"{_shown(value, gate)}, expected {_WORDS[gate.sign]} {gate.limit:g}".replace("-", "\N{MINUS SIGN}")
    detail = f"{gate.metric} = {numbers} ({basis})"
    return GateResult(gate.text, Verdict.PASSED if passed else Verdict.FAILED, detail)


def _interval(low: float, high: float, sign: str = "") -> str:
    return f"{low:{sign}.3f} to {high:{sign}.3f}".replace("-", "\N{MINUS SIGN}")


def _shown(value: float, gate: Gate) -> str:
    """Round so that the reader sees the decision: 0.4496 against 0.45 must not read 0.450."""
    for digits in range(3, 12):
        text = f"{value:.{digits}f}"
        if gate.holds(float(text)) == gate.holds(value):
            return text
    return repr(value)


def _judge_drop(gate: Gate, measured: Measured, comparison: Comparison | None) -> GateResult:
    if _named(gate.metric, measured.metrics) is None:
        return GateResult(gate.text, Verdict.FAILED, _missing(gate.metric, measured))
    if comparison is None:
        return GateResult(gate.text, Verdict.PASSED, "no baseline yet, nothing to compare with")
    if comparison.refused is not None:
        return GateResult(gate.text, Verdict.INCONCLUSIVE, f"not compared with the baseline: {comparison.refused}")
    change = next((change for change in comparison.metrics if change.name == gate.metric), None)
    if change is None:
        return GateResult(gate.text, Verdict.INCONCLUSIVE, f"no row has {gate.metric} both now and in the baseline")
    return GateResult(gate.text, *_weigh_drop(gate, change))


def _weigh_drop(gate: Gate, change: MetricChange) -> tuple[Verdict, str]:
    seen = _drop_in_words(change)
    if not math.isfinite(change.difference) or -change.difference > gate.limit:
        return Verdict.FAILED, f"{seen}: more than the {gate.limit:g} that is accepted"
    if change.count < MINIMUM_PAIRS or change.low is None:
        return Verdict.INCONCLUSIVE, f"{seen}: too few to judge, expected at least {MINIMUM_PAIRS} rows in common"
    worst = _worst_drop(change)
    if worst <= gate.limit:
        return Verdict.PASSED, f"{seen}: a drop of more than {gate.limit:g} is ruled out"
    return Verdict.INCONCLUSIVE, f"{seen}: a drop of up to {worst:.3f} is not ruled out{_power(change)}"


def _worst_drop(change: MetricChange) -> float:
    """Return the upper end of the drop, rows that lost their score counted as answers worth nothing."""
    upper = -change.low if change.low is not None else math.inf
    return (upper * change.count + max(change.before, 0.0) * change.lost) / (change.count + change.lost)


def _drop_in_words(change: MetricChange) -> str:
    moved = "fell" if change.difference < 0 else "rose"
    text = f"{change.name} {moved} by {abs(change.difference):.3f}, from {_interval(change.before, change.after)}"
    if change.difference == 0:
        text = f"{change.name} stayed at {change.after:.3f}"
    text += f" over {change.count} paired rows"
    text += _interval_of(change)
    if change.lost:
        text += f"; {change.lost} rows that the baseline scored have no score now, each counted as worth nothing"
    return text


def _interval_of(change: MetricChange) -> str:
    if change.low is None or change.high is None:
        return ""
    return f" ({_INTERVAL} of the change {_interval(change.low, change.high, '+')})"


def _power(change: MetricChange) -> str:
    if change.detectable is None:
        return ""
    return f"; with these rows a drop of {change.detectable:.3f} or more would have shown (4 times in 5)"


def _named(name: str, metrics: tuple[Metric, ...]) -> Metric | None:
    return next((metric for metric in metrics if metric.name == name), None)


def _missing(name: str, measured: Measured) -> str:
    known = ", ".join(sorted(metric.name for metric in measured.metrics)) or "none"
    return f"this evaluation has no metric {name}; it has: {known}"
