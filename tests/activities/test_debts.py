"""What becomes of a release's debt is in the audit log: who incurred it, who settled it, on what evidence."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from activities.record_debt import record_debt
from activities.settle_debt import settle_debt
from domain import blob_names
from domain.debts import incur
from domain.models import DebtState, OptOut, Verdict
from domain.wire import digest_of
from tests import samples
from tests.activities.conftest import AT, World, run
from tests.fakes import audited

RECORD = replace(
    samples.record(), opt_outs=(OptOut("skip", 41, "sam", AT, "only docs"), OptOut("skip", 42, "kim", AT, "typo"))
)
DEBT = asdict(incur(RECORD, samples.CONFIG, AT))


def settle(state: DebtState, by: str, **fields: Any) -> Any:
    """Settle the debt."""
    order = {"debt": DEBT, "state": state.value, "by": by, "at": AT, "evaluation": "", "detail": "", "evidence": ""}
    return run(settle_debt, {**order, **fields})["debt"]


def test_debt_names_who_skipped_what_and_why(world: World) -> None:
    """Once, however often it is recorded."""
    for _ in range(2):
        run(record_debt, {"debt": DEBT, "production": "prod"})

    (trace,) = audited(world.blobs)
    assert (trace["what"], trace["who"], trace["subject"]) == ("debt-incurred", "sam, kim", samples.RELEASE)
    assert trace["details"]["why"] == "skipped by @sam because only docs (#41); skipped by @kim because typo (#42)"
    assert trace["details"]["owed"].startswith("the full evaluation on data/full.jsonl")


@pytest.mark.parametrize(("state", "what"), [(DebtState.PAID, "debt-paid"), (DebtState.FAILED, "debt-failed")])
def test_payment_carries_the_digest_of_its_verdict(world: World, state: DebtState, what: str) -> None:
    """The same that the verdict's own record has."""
    run(record_debt, {"debt": DEBT, "production": "prod"})
    summary = asdict(samples.summary("full", Verdict.PASSED))
    world.blobs.write_json(blob_names.summary("night.full"), summary)

    settle(state, "nightly-acme.helpdesk-2026-11-23", evaluation="night.full")

    (trace,) = audited(world.blobs, what)
    assert (trace["evidence"], trace["details"]["evaluation"]) == (digest_of(summary), "night.full")


def test_waiver_carries_the_digest_that_the_approvers_saw(world: World) -> None:
    """And the first settlement is the only one."""
    run(record_debt, {"debt": DEBT, "production": "prod"})

    settle(DebtState.WAIVED, "maria", evidence="e" * 64)
    settle(DebtState.PAID, "nightly")

    (trace,) = audited(world.blobs, "debt-paid", "debt-failed", "debt-waived")
    assert (trace["what"], trace["who"], trace["evidence"]) == ("debt-waived", "maria", "e" * 64)


def test_debt_that_is_open_again_is_no_settlement(world: World) -> None:
    """A payment that could not run decides nothing."""
    run(record_debt, {"debt": DEBT, "production": "prod"})

    settle(DebtState.OPEN, "nightly")

    assert [one["what"] for one in audited(world.blobs)] == ["debt-incurred"]
