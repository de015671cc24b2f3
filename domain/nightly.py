"""The nightly run: what is evaluated again, what is worse than it was, and what is kept of a night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.commands import FULL
from domain.gates import MINIMUM_PAIRS
from domain.models import (
    Comparison,
    Debt,
    DebtState,
    EvaluationRequest,
    EvaluationSummary,
    MetricChange,
    Verdict,
)
from domain.schedules import ERROR, NIGHTLY, ON_DEMAND, RUNNING, EvaluationRecord, opened, running_instance

HEAD = "main branch"  # the one target that is no environment, whose names have no space


@dataclass(frozen=True)
class Target:
    """A commit that is looked at every night, by what it stands for: HEAD or an environment."""

    name: str
    commit: str
    fingerprint: str = ""
    error: str = ""  # why it cannot be looked at


@dataclass(frozen=True)
class Seen:
    """What is known of a target after a night."""

    name: str
    commit: str
    fingerprint: str = ""
    evaluation: str = ""  # the one that speaks for it, tonight's or an earlier one of the same fingerprint
    evaluated: str = ""  # the date of that evaluation
    verdict: Verdict | None = None
    errored: int = 0  # rows
    good: str = ""  # the last evaluation of the target that was no regression
    worse: tuple[str, ...] = ()  # why it is a regression, in words; empty when it is none
    since: str = ""  # the date the regression was first seen
    gone: bool = False  # it was a regression the night before and is none any more
    error: str = ""  # why it was not evaluated


@dataclass(frozen=True)
class Payment:
    """What became of one evaluation debt in a night. `state` OPEN: it could not be paid, the next night tries again."""

    release: str
    commit: str
    evaluation: str
    state: DebtState
    detail: str


@dataclass(frozen=True)
class Night:
    """One nightly run of a repository, as pages list it; the newest one is what the next one starts from."""

    repository: str
    date: str
    instance: str
    started_at: str
    ended_at: str = ""
    note: str = ""  # why nothing was evaluated, or what went wrong
    payments: tuple[Payment, ...] = ()
    targets: tuple[Seen, ...] = ()


def request(repository: str, commit: str, date: str) -> EvaluationRequest:
    """Return the evaluation of a commit in a night."""
    return EvaluationRequest(repository, commit, NIGHTLY, NIGHTLY, asked_by="", key=date)


def payment_id(debt: Debt, date: str) -> str:
    """Name the evaluation that pays a debt in a night; one that could not run leaves its name to no other."""
    return f"{debt.release}.full-{date}"


def payment_record(debt: Debt, payment: Payment, began: str) -> EvaluationRecord:
    """Return what is kept of the evaluation that pays a debt."""
    request = EvaluationRequest(debt.repository, debt.commit, FULL, NIGHTLY, asked_by="", key=debt.release)
    states = {DebtState.PAYING: RUNNING, DebtState.PAID: Verdict.PASSED, DebtState.FAILED: Verdict.FAILED}
    return replace(
        opened(request, began),
        id=payment.evaluation,
        instance=running_instance(payment.evaluation),
        state=states.get(payment.state, ERROR),
        reason=payment.detail,
    )


def left_behind(debt: Debt, instance: str) -> str:
    """Return who began to pay a debt and is gone, or nothing.

    Nights of a repository never overlap, so any other night's payment is an abandoned one; an evaluation on demand
    pays with a verdict in its hands, which takes no time. A payment by a release is not ours to touch.
    """
    payer = debt.settled_by if debt.state is DebtState.PAYING else ""
    return payer if payer.startswith((f"{NIGHTLY}-", f"{ON_DEMAND}-")) and payer != instance else ""


def known(target: Target, nights: Sequence[Seen]) -> Seen | None:
    """Return the evaluation that speaks for a target without running it again: of the same files and the same rules.

    One that failed with rows in error does not: what broke them may have been the model's bad day.
    """
    for seen in nights:
        settled = seen.verdict is not None and not (seen.verdict is Verdict.FAILED and seen.errored)
        if settled and target.fingerprint and seen.fingerprint == target.fingerprint:
            return seen
    return None


def judge(
    target: Target, summary: EvaluationSummary, comparison: Comparison | None, before: Seen | None, date: str, on: str
) -> Seen:
    """Return what is known of a target after its evaluation of the date `on` was compared with its last good one.

    A regression is a failed verdict, or a metric that certainly fell since the last good night.
    """
    worse = (*_failed_gates(summary), *_fallen(comparison))
    good = summary.id if summary.verdict is Verdict.PASSED and not worse else before.good if before else ""
    lasting = before.since if before and before.worse else date
    return Seen(
        name=target.name,
        commit=target.commit,
        fingerprint=target.fingerprint,
        evaluation=summary.id,
        evaluated=on,
        verdict=summary.verdict,
        errored=summary.errored,
        good=good,
        worse=worse,
        since=lasting if worse else "",
        gone=bool(before and before.worse and not worse),
    )


def unchanged(target: Target, before: Seen) -> Seen:
    """Return what is known of a target whose evaluation is the one it had the night before."""
    return replace(before, commit=target.commit, gone=False, error="")


def not_evaluated(target: Target, before: Seen | None, why: str) -> Seen:
    """Return what is known of a target that could not be evaluated: what was known, and why there is nothing new."""
    kept = before or Seen(target.name, target.commit)
    return replace(kept, commit=target.commit, gone=False, error=why)


def departed(targets: Sequence[Seen], last: Night | None) -> tuple[Seen, ...]:
    """Return the regressions of targets that are gone, so that they are closed as well."""
    names = {seen.name for seen in targets}
    return tuple(
        replace(seen, worse=(), gone=True) for seen in by_name(last).values() if seen.worse and seen.name not in names
    )


def by_name(night: Night | None) -> Mapping[str, Seen]:
    """Return what a night knew of each target."""
    return {seen.name: seen for seen in night.targets} if night else {}


def _failed_gates(summary: EvaluationSummary) -> tuple[str, ...]:
    return tuple(f"{gate.rule}: {gate.detail}" for gate in summary.gates if gate.verdict is Verdict.FAILED)


def _fallen(comparison: Comparison | None) -> tuple[str, ...]:
    if comparison is None or comparison.refused is not None:
        return ()
    return tuple(_fall(change) for change in comparison.metrics if _certainly_fell(change))


def _certainly_fell(change: MetricChange) -> bool:
    """Say whether the whole 95 % interval of a change lies below nothing at all."""
    return change.count >= MINIMUM_PAIRS and change.high is not None and change.high < 0


def _fall(change: MetricChange) -> str:
    return (
        f"{change.name} fell by {-change.difference:.3f} since the last good night, from {change.before:.3f} to "
        f"{change.after:.3f} over {change.count} paired rows (95 % interval of the change {change.low:+.3f} to "
        f"{change.high:+.3f})"
    )
