"""Evaluation debts in blobs, one for each commit, changed with their etag so that two payers never both pay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict

from adapters.blobs import Blobs
from domain import blob_names, debts
from domain.errors import NotFound
from domain.models import Debt, DebtState
from domain.wire import read


def record(blobs: Blobs, debt: Debt) -> Debt:
    """Keep a debt, once: returns the one that stands."""
    name = blob_names.debt(debt.repository, debt.commit)
    return debt if blobs.create_json(name, asdict(debt)) else read(Debt, blobs.read_json(name))


def find(blobs: Blobs, repository: str, sha: str) -> Debt | None:
    """Read the debt of a commit, if it has one."""
    kept = blobs.read_json(blob_names.debt(repository, sha))
    return read(Debt, kept) if kept else None


def all_debts(blobs: Blobs, repository: str = "") -> list[Debt]:
    """Read every debt ever made in one repository, or in all, oldest first."""
    kept = (blobs.read_json(name) for name in blobs.names(blob_names.debts(repository)))
    return sorted((read(Debt, one) for one in kept if one), key=lambda debt: debt.at)


def open_debts(blobs: Blobs, repository: str = "") -> list[Debt]:
    """Read the debts that wait for their evaluation or have it running, oldest first."""
    return [debt for debt in all_debts(blobs, repository) if debt.state in {DebtState.OPEN, DebtState.PAYING}]


def overdue(debts_of: Iterable[Debt], now: str) -> list[Debt]:
    """Return those that stand for longer than the policy allows."""
    return [debt for debt in debts_of if debts.is_overdue(debt, now)]


def take(blobs: Blobs, debt: Debt, payer: str, over_from: str = "") -> Debt | None:
    """Become the one who pays a debt, see domain.debts.take; None when somebody else does or it is settled."""
    taken: list[Debt] = []

    def attempt(kept: Debt) -> Debt:
        mine = debts.take(kept, payer, over_from)
        taken[:] = [mine] if mine else []
        return mine or kept

    _change(blobs, debt, attempt)
    return taken[0] if taken else None


def settle(
    blobs: Blobs, debt: Debt, state: DebtState, by: str, at: str, evaluation: str = "", detail: str = ""
) -> Debt:
    """Settle a debt, see domain.debts.settle, and return it as it then stands."""
    return _change(blobs, debt, lambda kept: debts.settle(kept, state, by, at, evaluation, detail))


def _change(blobs: Blobs, debt: Debt, step: Callable[[Debt], Debt]) -> Debt:
    name = blob_names.debt(debt.repository, debt.commit)

    def attempt(kept: object) -> object:
        if kept is None:
            raise NotFound(f"there is no debt of {debt.commit[:7]} in {debt.repository}")
        return asdict(step(read(Debt, kept)))

    return read(Debt, blobs.change_json(name, attempt))
