"""What is left behind when a release is over: nothing that keeps others waiting."""

from __future__ import annotations

from dataclasses import replace

from adapters import closing, debts, lanes
from adapters.blobs import Blobs
from domain.debts import incur
from domain.lanes import Bar, Holder
from domain.models import DebtState, Outcome
from tests import samples
from tests.fakes import audited

AT = "2026-11-23T10:00:00Z"


def test_debt_that_the_release_was_paying_is_owed_again(blobs: Blobs) -> None:
    """The nightly run leaves a release's payment alone; of one that is over, nobody would ever pay it."""
    record = samples.record()
    debt = debts.record(blobs, incur(record, samples.CONFIG, AT))
    debts.take(blobs, debt, record.id)

    closing.tidy(blobs, replace(record, outcome=Outcome.CANCELLED))

    (owed,) = debts.open_debts(blobs)
    assert (owed.state, owed.settled_by) == (DebtState.OPEN, "")


def test_payment_of_the_nightly_run_goes_on(blobs: Blobs) -> None:
    """It is not the release's to give up."""
    record = samples.record()
    debts.take(blobs, debts.record(blobs, incur(record, samples.CONFIG, AT)), "nightly-acme.helpdesk-2026-11-23")

    closing.tidy(blobs, replace(record, outcome=Outcome.SUPERSEDED))

    assert debts.open_debts(blobs)[0].state is DebtState.PAYING


def test_rollback_to_a_release_outlives_the_release(blobs: Blobs) -> None:
    """The release ends on its way to production, while dev goes back to it: dev is still being deployed to."""
    record = samples.record()
    holder = Holder(record.id, AT, rollback=True)
    lanes.change(blobs, record.repository, "dev", lambda lane: replace(lane, holder=holder))
    lanes.change(blobs, record.repository, "prod", lambda lane: replace(lane, holder=Holder(record.id, AT)))

    closing.tidy(blobs, replace(record, outcome=Outcome.EXPIRED))

    assert lanes.read(blobs, record.repository, "dev").holder == holder
    assert lanes.read(blobs, record.repository, "prod").holder is None


def test_release_that_ends_by_itself_because_it_is_barred_was_cancelled_by_a_person(blobs: Blobs) -> None:
    """Who cancelled it was cut off before its orchestration was ended, and is known all the same."""
    record = replace(samples.record(), outcome=Outcome.CANCELLED, reason="Cancelled by maria.")
    lanes.bar(blobs, record.repository, (), Bar(record.id, record.reason, AT, "maria"))

    closing.tidy(blobs, record)

    assert [(trace["what"], trace["who"]) for trace in audited(blobs)] == [
        ("cancelled", "maria"),
        ("release-ended", "drawbridge"),
    ]


def test_end_is_audited_once_with_its_outcome(blobs: Blobs) -> None:
    """Whoever tidies up."""
    record = replace(samples.record(), outcome=Outcome.EXPIRED, reason="The approval for prod expired.")
    for _ in range(2):
        closing.tidy(blobs, record)

    (trace,) = audited(blobs)
    assert (trace["what"], trace["who"], trace["subject"]) == ("release-ended", "drawbridge", record.id)
    details = {"outcome": "expired", "reason": record.reason, "commit": record.commit.sha}
    assert trace["details"] == details
