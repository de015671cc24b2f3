"""Evaluation debts in blobs, one for each commit, changed with their etag so that two payers never both pay.

They are kept for ever; a note beside each that is not paid tells which to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta

from adapters.blobs import Blobs
from domain import blob_names, debts
from domain.branch_line import Place, Relations
from domain.errors import NotFound
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
    _forget_if_paid(blobs, kept)
    return kept


def find(blobs: Blobs, repository: str, sha: str) -> Debt | None:
    """Read the debt of a commit, if it has one."""
    kept = blobs.read_json(blob_names.debt(repository, sha))
    return read(Debt, kept) if kept else None


def unpaid(blobs: Blobs, repository: str = "") -> list[Debt]:
    """Read the debts of one repository, or of all, that are neither paid nor waived, oldest first."""
    kept = _read(blobs, _noted(blobs, repository))
    return [debt for debt in kept if debt.state in debts.UNPAID]


def open_debts(blobs: Blobs, repository: str = "") -> list[Debt]:
    """Read the debts that wait for their evaluation or have it running, oldest first."""
    return [debt for debt in unpaid(blobs, repository) if debt.state in debts.OWED]


def recent(blobs: Blobs) -> list[Debt]:
    """Read all debts that are unpaid, or were made or settled in the last year, oldest first."""
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
    settled = _change(blobs, debt, lambda kept: debts.settle(kept, state, by, at, evaluation, detail))
    _forget_if_paid(blobs, settled)
    return settled


def stack(blobs: Blobs, debt: Debt, others: Iterable[Debt], production: Place, relations: Relations) -> Debt:
    """Note which other debts a debt stands on, see domain.debts.stack, and return it as it then stands."""
    others = list(others)
    if debts.stack(debt, others, production, relations) == debt:
        return debt
    return _change(blobs, debt, lambda kept: debts.stack(kept, others, production, relations))


def _noted(blobs: Blobs, repository: str) -> set[str]:
    """Name the debts that may be unpaid."""
    notes = blobs.names(blob_names.unpaid(blob_names.debts(repository)))
    return {note.removeprefix(blob_names.unpaid("")) for note in notes}


def _read(blobs: Blobs, names: Iterable[str]) -> list[Debt]:
    with ThreadPoolExecutor(READERS) as readers:
        kept = [read(Debt, found) for found in readers.map(blobs.read_json, names) if found]
    return sorted(kept, key=lambda debt: debt.at)


def _forget_if_paid(blobs: Blobs, debt: Debt) -> None:
    if debt.state not in debts.UNPAID:
        blobs.remove(blob_names.unpaid(blob_names.debt(debt.repository, debt.commit)))


def _change(blobs: Blobs, debt: Debt, step: Callable[[Debt], Debt]) -> Debt:
    name = blob_names.debt(debt.repository, debt.commit)

    def attempt(kept: object) -> object:
        if kept is None:
            raise NotFound(f"there is no debt of {debt.commit[:7]} in {debt.repository}")
        return asdict(step(read(Debt, kept)))

    return read(Debt, blobs.change_json(name, attempt))
