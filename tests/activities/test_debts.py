"""What becomes of a release's debt is in the audit log: who incurred it, who settled it, on what evidence."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from activities.record_debt import record_debt
from activities.settle_debt import settle_debt
from adapters import debts, lanes
from domain import blob_names
from domain.branch_line import MOST_COMMITS
from domain.debts import incur
from domain.lanes import Occupant
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


def owe(world: World, pull: dict[str, Any], position: int) -> tuple[str, ...]:
    """Let a merge incur its debt, and return what that stands on."""
    debt = replace(
        incur(RECORD, samples.CONFIG, AT),
        repository=world.repository,
        release=f"release-{pull['merge_commit_sha']}",
        commit=pull["merge_commit_sha"],
        position=position,
    )
    return tuple(run(record_debt, {"debt": asdict(debt), "production": "prod"})["debt"]["on_top_of"])


def runs_in_production(world: World, sha: str, position: int) -> None:
    """Let a commit run in production."""
    there = Occupant(f"release-{sha}", sha, position, samples.IMAGE, AT)
    lanes.change(world.blobs, world.repository, "prod", lambda lane: replace(lane, current=there))


def test_debt_underneath_whose_position_turned_round_is_seen(world: World) -> None:
    """Its origin was found late, among forced pushes: production would carry it unpaid."""
    runs_in_production(world, world.record.commit.sha, MOST_COMMITS + 1)
    below, above = world.merge(), world.merge()

    assert owe(world, below, 5 * MOST_COMMITS + 3) == ()
    assert owe(world, above, 3 * MOST_COMMITS + 5) == (below["merge_commit_sha"],)


def test_debt_that_production_has_already_is_history_over_a_rewrite_too(world: World) -> None:
    """What runs there descends from it."""
    below, live, above = world.merge(), world.merge(), world.merge()
    runs_in_production(world, live["merge_commit_sha"], MOST_COMMITS + 4)

    owe(world, below, 5 * MOST_COMMITS + 3)
    assert owe(world, above, 3 * MOST_COMMITS + 5) == ()


def test_debt_of_which_github_does_not_tell_is_carried(world: World) -> None:
    """So it cannot be waived unseen, and the full evaluation pays both."""
    below, above = world.merge(), world.merge()
    owe(world, above, 5 * MOST_COMMITS + 5)
    world.double.fault(path_regex="/compare/", status=503, times=100)

    assert owe(world, below, 3 * MOST_COMMITS + 3) == (above["merge_commit_sha"],)


@pytest.mark.parametrize("position", [3, 5 * MOST_COMMITS + 3])
def test_debt_incurred_late_comes_under_those_above_it(world: World, position: int) -> None:
    """The newer release was quicker; its approvers would waive what they are not shown."""
    below, above = world.merge(), world.merge()

    assert owe(world, above, 5) == ()
    assert owe(world, below, position) == ()
    kept = debts.find(world.blobs, world.repository, above["merge_commit_sha"])
    assert kept
    assert kept.on_top_of == (below["merge_commit_sha"],)
