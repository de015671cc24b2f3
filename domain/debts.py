"""Evaluation debt: what an honoured opt-out leaves behind, and when it is settled. Clocks come from the caller."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from domain.branch_line import DIVERGED, Place, Relations, has
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


def stack(debt: Debt, others: Iterable[Debt], production: Place, relations: Relations) -> Debt:
    """Return the debt with the commits it stands on whose evaluations are missing as well.

    What `production` has already is history. Where neither counting nor `relations` tell how the commits stand to each
    other, the debt counts as standing on the other one.
    """
    under = [one.commit for one in others if one.state in UNPAID and _stands_on(debt, one, production, relations)]
    return replace(debt, on_top_of=tuple(dict.fromkeys((*debt.on_top_of, *under))))


def place(debt: Debt) -> Place:
    """Return where a debt's commit is on the branch."""
    return Place(debt.commit, debt.position)


def _stands_on(debt: Debt, other: Debt, production: Place, relations: Relations) -> bool:
    if other.commit == debt.commit or has(production, place(other), relations):
        return False
    if relations.get((debt.commit, other.commit)) == DIVERGED:
        # The branch lost it. What was rewritten may hold it under another name, until production has gone past it.
        return production.position < other.position < debt.position
    return has(place(debt), place(other), relations) is not False


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
    """Return the debt settled, or open again after a payment that could not run. A verdict or a waiver is final.

    A waiver is none, where the debt came to stand on others while people were asked about it.
    """
    if debt.state in {DebtState.PAID, DebtState.FAILED, DebtState.WAIVED}:
        return debt
    if state is DebtState.WAIVED and debt.on_top_of:
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
