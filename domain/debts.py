"""Evaluation debt: what an honoured opt-out leaves behind, and when it is settled. Clocks come from the caller."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from domain.config import Config
from domain.models import Debt, DebtState, ReleaseRecord, Verdict

OWED = frozenset({DebtState.OPEN, DebtState.PAYING})
UNPAID = OWED | {DebtState.FAILED}  # a verdict is final: whatever stands on a failed one carries it on


def incur(record: ReleaseRecord, config: Config, at: str) -> Debt:
    """Return the debt of a release that skips its full evaluation from now on."""
    due = datetime.fromisoformat(at) + timedelta(seconds=config.opt_out.expires_after)
    return Debt(
        repository=record.repository,
        release=record.id,
        commit=record.commit.sha,
        opt_outs=record.opt_outs,
        owed=f"the full evaluation on {config.evaluation.full.data}: {', '.join(config.evaluation.full.gates)}",
        at=at,
        expires_at=due.strftime("%Y-%m-%dT%H:%M:%SZ"),
        position=record.position,
    )


def stack(debt: Debt, others: Iterable[Debt], in_production: int) -> Debt:
    """Return the debt with the commits it stands on whose evaluations are missing as well.

    `in_production` is the position of what runs there: what went before that is history.
    """
    under = [one.commit for one in others if one.state in UNPAID and in_production < one.position < debt.position]
    return replace(debt, on_top_of=tuple(under))


def block_production(record: ReleaseRecord) -> bool:
    """Say whether production has to wait: the release's debt is neither paid nor waived.

    A payment that failed blocks as well, until a named person has overridden that very evaluation.
    """
    debt = record.debt
    if debt is None or debt.state in {DebtState.PAID, DebtState.WAIVED}:
        return False
    return debt.state in OWED or debt.evaluation not in {override.evaluation for override in record.overrides}


def can_be_waived(debt: Debt, now: str) -> bool:
    """Say whether approvers may still let a release through without its full evaluation.

    Not on top of others' debts: they would waive what they are not shown.
    """
    return debt.state in OWED and now < debt.expires_at and not debt.on_top_of


def is_overdue(debt: Debt, now: str) -> bool:
    """Say whether an evaluation is owed for longer than the policy allows; a failed one is owed no more."""
    return debt.state in OWED and now >= debt.expires_at


def take(debt: Debt, payer: str, over_from: str = "") -> Debt | None:
    """Return the debt as being paid by the instance `payer`, or None when somebody else pays it or it is settled.

    `over_from` names a payer that is known to be gone: its payment is taken over.
    """
    free = debt.state is DebtState.OPEN
    mine = debt.state is DebtState.PAYING and debt.settled_by in {payer, over_from}
    return replace(debt, state=DebtState.PAYING, settled_by=payer) if free or mine else None


def settle(debt: Debt, state: DebtState, by: str, at: str, evaluation: str = "", detail: str = "") -> Debt:
    """Return the debt settled, or open again after a payment that could not run. A verdict or a waiver is final."""
    if debt.state in {DebtState.PAID, DebtState.FAILED, DebtState.WAIVED}:
        return debt
    return replace(
        debt,
        state=state,
        settled_by="" if state is DebtState.OPEN else by,
        settled_at="" if state is DebtState.OPEN else at,
        evaluation=evaluation or debt.evaluation,
        detail=detail,
    )


def paid_with(verdict: Verdict) -> DebtState:
    """Return what a full evaluation makes of the debt: only a pass pays it."""
    return DebtState.PAID if verdict is Verdict.PASSED else DebtState.FAILED
