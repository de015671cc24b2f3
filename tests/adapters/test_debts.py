"""Debts are kept for ever, and only those that matter are read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from azure.core.pipeline.transport import RequestsTransport

from adapters import debts
from adapters.blobs import Blobs
from domain import blob_names
from domain.models import Debt, DebtState

HELPDESK, SEARCH = "acme/helpdesk", "acme/search"
AT = "2026-11-23T09:00:00Z"


def owe(blobs: Blobs, number: int, repository: str = HELPDESK, state: DebtState = DebtState.OPEN) -> Debt:
    """Keep a debt, and settle it unless it is to stay open."""
    made = f"2026-11-20T09:{number:02}:00Z"
    debt = debts.record(blobs, Debt(repository, f"release-{number}", f"{number:040}", (), "all of it", made, AT))
    return debt if state is DebtState.OPEN else debts.settle(blobs, debt, state, "release-0", AT)


def test_what_was_settled_is_owed_no_more(blobs: Blobs) -> None:
    """Paid, waived or failed; oldest first."""
    for number, state in enumerate((DebtState.FAILED, DebtState.PAID, DebtState.WAIVED, DebtState.OPEN)):
        owe(blobs, number, state=state)
    other = owe(blobs, 9, SEARCH)

    assert [debt.release for debt in debts.open_debts(blobs, HELPDESK)] == ["release-3"]
    assert debts.open_debts(blobs, SEARCH) == [other]
    assert [debt.release for debt in debts.open_debts(blobs)] == ["release-3", "release-9"]
    assert len(blobs.names(blob_names.unpaid(""))) == 2


def test_debt_whose_payment_could_not_run_is_open_again(blobs: Blobs) -> None:
    """Taken and given back, it is still to be paid."""
    debt = owe(blobs, 1)
    debts.take(blobs, debt, "night")
    paying = debts.open_debts(blobs, HELPDESK)[0].state
    debts.settle(blobs, debt, DebtState.OPEN, "night", AT, detail="no compute")

    assert paying is DebtState.PAYING
    assert [(one.state, one.detail) for one in debts.open_debts(blobs)] == [(DebtState.OPEN, "no compute")]


def test_recorded_again_after_it_was_paid_it_stays_paid(blobs: Blobs) -> None:
    """An activity that runs twice neither makes it anew nor has it read for ever."""
    first = owe(blobs, 1, state=DebtState.PAID)
    again = owe(blobs, 1)

    assert again == first
    assert blobs.names(blob_names.unpaid("")) == []


def test_reading_what_is_owed_costs_nothing_for_what_is_paid(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests for two open debts: one for the list and one for each, after thirty paid ones as after none."""
    requests: list[str] = []
    send = RequestsTransport.send

    def count(self: RequestsTransport, asked: Any, **options: Any) -> Any:
        requests.append(asked.url)
        return send(self, asked, **options)

    for number in range(32):
        owe(blobs, number, state=DebtState.OPEN if number in {3, 20} else DebtState.PAID)
    monkeypatch.setattr(RequestsTransport, "send", count)
    found = [debt.release for debt in debts.open_debts(blobs, HELPDESK)]

    assert found == ["release-3", "release-20"]
    assert len(requests) == 3


def test_what_is_shown_is_owed_or_of_the_last_year(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A debt that nobody pays never drops out of sight."""
    owe(blobs, 1)
    owe(blobs, 2, SEARCH, DebtState.WAIVED)

    assert [debt.release for debt in debts.recent(blobs)] == ["release-1", "release-2"]

    monkeypatch.setattr(debts, "RECENT", timedelta(seconds=-1))

    assert [debt.release for debt in debts.recent(blobs)] == ["release-1"]
