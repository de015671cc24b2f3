"""Evaluation debts, and who opts out how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.debts import OWED
from domain.models import Debt, DebtState
from triggers.views.standing import DebtView, debt_view

SHOWN = 100  # settled debts on the page; the JSON has those of a year


@dataclass(frozen=True)
class PersonView:
    """Somebody who opted out: how often, and what became of it."""

    login: str
    times: int
    paid: int
    waived: int
    failed: int
    open: int


@dataclass(frozen=True)
class DebtsView:
    title: str
    open: tuple[DebtView, ...]  # oldest first
    settled: tuple[DebtView, ...]  # newest first
    more: int  # settled ones that are left out
    people: tuple[PersonView, ...]


def debts_page(debts: Sequence[Debt], now: datetime) -> DebtsView:
    """Show debts, given oldest first."""
    settled = [debt for debt in reversed(debts) if debt.state not in OWED]
    return DebtsView(
        title="Evaluation debts",
        open=tuple(debt_view(debt, now) for debt in debts if debt.state in OWED),
        settled=tuple(debt_view(debt, now) for debt in settled[:SHOWN]),
        more=max(0, len(settled) - SHOWN),
        people=people_of(debts),
    )


def people_of(debts: Sequence[Debt]) -> tuple[PersonView, ...]:
    """Count the releases that each person let skip their full evaluation, those with the most first."""
    states: dict[str, list[DebtState]] = {}
    for debt in debts:
        for login in {opt_out.by for opt_out in debt.opt_outs}:
            states.setdefault(login, []).append(debt.state)
    people = (
        PersonView(
            login,
            len(known),
            known.count(DebtState.PAID),
            known.count(DebtState.WAIVED),
            known.count(DebtState.FAILED),
            known.count(DebtState.OPEN) + known.count(DebtState.PAYING),
        )
        for login, known in states.items()
    )
    return tuple(sorted(people, key=lambda one: (-one.times, one.login.casefold())))
