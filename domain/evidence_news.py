"""What is new in evidence that is put before the approvers again, in words."""

from __future__ import annotations

from collections.abc import Iterator

from domain.messages import verdict_detail
from domain.models import Debt, DebtState, EvaluationSummary, Evidence, OptOut

_DEBT = {
    DebtState.OPEN: "is open again",
    DebtState.PAYING: "is being paid",
    DebtState.PAID: "was paid: the full evaluation passed",
    DebtState.FAILED: "could not be paid: the full evaluation did not pass",
    DebtState.WAIVED: "was waived",
}


def changed(before: Evidence, now: Evidence) -> tuple[str, ...]:
    """Return one sentence for each thing that differs between two rounds of evidence on one release."""
    found = [
        *_evaluations(before, now),
        *_debt(before.debt, now.debt),
        *_opt_outs(before.opt_outs, now.opt_outs),
        *(
            f"{one.by} overrode the {one.verdict.value} full evaluation."
            for one in now.overrides[len(before.overrides) :]
        ),
    ]
    if before.image != now.image:
        found.append("Another image would be deployed.")
    if (before.approvers, before.approvals) != (now.approvers, now.approvals):
        found.append("Other people may decide, or another number of them.")
    return tuple(found) or ("Part of what was shown is different.",)


def _evaluations(before: Evidence, now: Evidence) -> Iterator[str]:
    known = {summary.id: summary for summary in before.evaluations}
    kinds = {summary.kind for summary in before.evaluations}
    for summary in now.evaluations:
        if known.get(summary.id) != summary:
            ran = "ran again" if summary.kind in kinds else "ran"
            yield f"The {summary.kind} evaluation {ran}: {_result(summary)}."


def _result(summary: EvaluationSummary) -> str:
    return f"{summary.verdict.value}, {verdict_detail(summary)}"


def _debt(before: Debt | None, now: Debt | None) -> Iterator[str]:
    if now and (before is None or before.state is not now.state):
        yield f"The evaluation debt {_DEBT[now.state]}." if before else f"There is evaluation debt now: {now.owed}."
    if before and now is None:
        yield "There is no evaluation debt any more."
    if before and now and now.state is before.state and now.detail not in ("", before.detail):
        yield now.detail


def _opt_outs(before: tuple[OptOut, ...], now: tuple[OptOut, ...]) -> Iterator[str]:
    were, are = {one.change for one in before}, {one.change for one in now}
    yield from (f"Change #{number} does not opt out any more." for number in sorted(were - are))
    yield from (f"Change #{number} opted out of the full evaluation." for number in sorted(are - were))
