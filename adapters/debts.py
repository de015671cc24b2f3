"""Evaluation debts in blobs, one for each commit, changed with their etag so that two payers never both pay.

They are kept for ever; a note beside each that is not settled tells which to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta

from adapters import commits
from adapters.blobs import Blobs
from domain import blob_names, debts
from domain.approvals import cannot_waive
from domain.branch_line import Place, Relations
from domain.errors import NotFound
from domain.lanes import Lane
from domain.models import Debt, DebtState
from domain.wire import read

RECENT = timedelta(days=365)
READERS = 16  # debts read at once


def record(blobs: Blobs, debt: Debt) -> Debt:
    """Keep a debt, once: returns the one that stands."""
    name = blob_names.debt(debt.repository, debt.commit)
    # Noted first: what is owed is always among the notes, what is settled may be for a moment.
    blobs.write(blob_names.unpaid(name), b"")
    kept = debt if blobs.create_json(name, asdict(debt)) else read(Debt, blobs.read_json(name))
    _forget_if_settled(blobs, kept)
    return kept


def find(blobs: Blobs, repository: str, sha: str) -> Debt | None:
    """Read the debt of a commit, if it has one."""
    kept = blobs.read_json(blob_names.debt(repository, sha))
    return read(Debt, kept) if kept else None


def open_debts(blobs: Blobs, repository: str = "") -> list[Debt]:
    """Read the debts of one repository, or of all, that wait for their evaluation or have it running, oldest first."""
    return [debt for debt in _read(blobs, _noted(blobs, repository)) if debt.state in debts.OWED]


def recent(blobs: Blobs) -> list[Debt]:
    """Read all debts that are owed, or were made or settled in the last year, oldest first."""
    now, written = blobs.written(blob_names.debts())
    return _read(blobs, {name for name, at in written.items() if now - at < RECENT} | _noted(blobs, ""))


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
    return _settle(blobs, debt, lambda kept: debts.settle(kept, state, by, at, evaluation, detail))


def waive(blobs: Blobs, debt: Debt, by: str, at: str, production: Lane, relations: Relations) -> Debt:
    """Waive a debt, and return it as it then stands: where nobody can any more, it says that a waiver did not count.

    So it differs each time, and whoever voted is asked again with that in the evidence.
    """

    def step(kept: Debt) -> Debt:
        barred = cannot_waive(stacked(blobs, kept, production, relations), at)
        if barred and kept.state in debts.OWED:
            return replace(kept, detail=f"A waiver did not count at {at}. {barred}")
        return debts.settle(kept, DebtState.WAIVED, by, at)

    return _settle(blobs, debt, step)


def stacked(blobs: Blobs, debt: Debt, production: Lane, relations: Relations) -> Debt:
    """Return a debt with what its commit stands on as of now, see domain.debts.stack; one that is settled as it is."""
    if debt.state not in debts.OWED:
        return debt
    current = production.current
    there = Place(current.sha, current.position) if current else Place("", 0)
    return debts.stack(debt, commits.on_branch(blobs, debt.repository), there, relations)


def _settle(blobs: Blobs, debt: Debt, step: Callable[[Debt], Debt]) -> Debt:
    settled = _change(blobs, debt, step)
    if settled.state is DebtState.PAID:
        commits.note_evaluated(blobs, debt.repository, debts.place(debt))
    if settled.state is DebtState.WAIVED:
        commits.note_waived(blobs, debt.repository, debts.place(debt))
    _forget_if_settled(blobs, settled)
    return settled


def _noted(blobs: Blobs, repository: str) -> set[str]:
    """Name the debts that may be owed still."""
    notes = blobs.names(blob_names.unpaid(blob_names.debts(repository)))
    return {note.removeprefix(blob_names.unpaid("")) for note in notes}


def _read(blobs: Blobs, names: Iterable[str]) -> list[Debt]:
    with ThreadPoolExecutor(READERS) as readers:
        kept = [read(Debt, found) for found in readers.map(blobs.read_json, names) if found]
    return sorted(kept, key=lambda debt: debt.at)


def _forget_if_settled(blobs: Blobs, debt: Debt) -> None:
    if debt.state not in debts.OWED:
        blobs.remove(blob_names.unpaid(blob_names.debt(debt.repository, debt.commit)))


def _change(blobs: Blobs, debt: Debt, step: Callable[[Debt], Debt]) -> Debt:
    name = blob_names.debt(debt.repository, debt.commit)

    def attempt(kept: object) -> object:
        if kept is None:
            raise NotFound(f"there is no debt of {debt.commit[:7]} in {debt.repository}")
        return asdict(step(read(Debt, kept)))

    return read(Debt, blobs.change_json(name, attempt))
