"""What becomes of a release's debt is in the audit log: who incurred it, who settled it, on what evidence."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from activities.record_debt import record_debt
from activities.settle_debt import settle_debt
from adapters import commits, debts, lanes, records
from domain import blob_names
from domain.branch_line import MOST_COMMITS, Place
from domain.debts import incur
from domain.lanes import Occupant
from domain.models import Debt, DebtState, OptOut, ReleaseRecord, Verdict
from domain.wire import digest_of, read
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
    return run(settle_debt, {**order, "production": "prod", **fields})["debt"]


def test_debt_names_who_skipped_what_and_why(world: World) -> None:
    """Once, however often it is recorded."""
    for _ in range(2):
        run(record_debt, {"debt": DEBT})

    (trace,) = audited(world.blobs)
    assert (trace["what"], trace["who"], trace["subject"]) == ("debt-incurred", "sam, kim", samples.RELEASE)
    assert trace["details"]["why"] == "skipped by @sam because only docs (#41); skipped by @kim because typo (#42)"
    assert trace["details"]["owed"].startswith("the full evaluation on data/full.jsonl")


@pytest.mark.parametrize(("state", "what"), [(DebtState.PAID, "debt-paid"), (DebtState.FAILED, "debt-failed")])
def test_payment_carries_the_digest_of_its_verdict(world: World, state: DebtState, what: str) -> None:
    """The same that the verdict's own record has."""
    run(record_debt, {"debt": DEBT})
    summary = asdict(samples.summary("full", Verdict.PASSED))
    world.blobs.write_json(blob_names.summary("night.full"), summary)

    settle(state, "nightly-acme.helpdesk-2026-11-23", evaluation="night.full")

    (trace,) = audited(world.blobs, what)
    assert (trace["evidence"], trace["details"]["evaluation"]) == (digest_of(summary), "night.full")


def test_waiver_carries_the_digest_that_the_approvers_saw(world: World) -> None:
    """And the first settlement is the only one."""
    run(record_debt, {"debt": DEBT})

    settle(DebtState.WAIVED, "maria", evidence="e" * 64)
    settle(DebtState.PAID, "nightly")

    (trace,) = audited(world.blobs, "debt-paid", "debt-failed", "debt-waived")
    assert (trace["what"], trace["who"], trace["evidence"]) == ("debt-waived", "maria", "e" * 64)


def test_debt_that_is_open_again_is_no_settlement(world: World) -> None:
    """A payment that could not run decides nothing."""
    run(record_debt, {"debt": DEBT})

    settle(DebtState.OPEN, "nightly")

    assert [one["what"] for one in audited(world.blobs)] == ["debt-incurred"]


def released(world: World, sha: str, position: int, passed: Verdict | None = None) -> ReleaseRecord:
    """Let a commit have its release, and its full evaluation come to a verdict."""
    summaries = (samples.summary("minimal"), *((samples.summary("full", passed),) if passed else ()))
    commit = replace(RECORD.commit, sha=sha)
    record = replace(RECORD, id=f"release-{sha}", commit=commit, position=position, evaluations=summaries)
    commits.note_released(world.blobs, world.repository, Place(sha, position))
    return records.save_record(world.blobs, replace(record, repository=world.repository))


def owe(world: World, sha: str, position: int) -> Debt:
    """Let a release incur its debt."""
    record = released(world, sha, position)
    return read(Debt, run(record_debt, {"debt": asdict(incur(record, samples.CONFIG, AT))})["debt"])


def waive(debt: Debt) -> Debt:
    """Let the approvers waive a debt, and return it as it then stands."""
    order = {"state": "waived", "by": "maria", "at": AT, "evaluation": "", "detail": "", "evidence": "e" * 64}
    return read(Debt, run(settle_debt, {"debt": asdict(debt), **order, "production": "prod"})["debt"])


def under(debt: Debt) -> list[str]:
    """Let the approvers try to waive a debt; return the commits that bar it, shortened."""
    names = re.search(r"This release stands on (.*?) \(or GitHub", waive(debt).detail)
    return names[1].split(", ") if names else []


def runs_in_production(world: World, sha: str, position: int) -> None:
    """Let a commit run in production."""
    there = Occupant(f"release-{sha}", sha, position, samples.IMAGE, AT)
    lanes.change(world.blobs, world.repository, "prod", lambda lane: replace(lane, current=there))


def merge(world: World, times: int) -> list[str]:
    """Merge changes; return their commits."""
    return [world.merge()["merge_commit_sha"] for _ in range(times)]


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.INCONCLUSIVE, None])
def test_debt_on_top_of_an_evaluation_that_did_not_pass_cannot_be_waived(world: World, verdict: Verdict | None) -> None:
    """Nobody opted out of that one: a small change on top of it must not carry it to production unseen."""
    below, above = merge(world, 2)
    debt = owe(world, above, 5)
    released(world, below, 4, verdict)  # its verdict comes last, or is still awaited

    stands = waive(debt)

    assert stands.state is DebtState.OPEN
    assert stands.detail.startswith(f"A waiver did not count at {AT}. This release stands on {below[:7]} (or")
    assert debts.find(world.blobs, world.repository, above) == stands
    assert audited(world.blobs, "debt-waived") == []


def passes(world: World, sha: str) -> None:
    """Let a commit's own full evaluation pass."""
    released(world, sha, 2, Verdict.PASSED)


def is_paid(world: World, sha: str) -> None:
    """Let a night pay a commit's debt."""
    debts.settle(world.blobs, owe(world, sha, 2), DebtState.PAID, "night", AT, "e")


def goes_live(world: World, sha: str) -> None:
    """Let a commit reach production."""
    runs_in_production(world, sha, 2)


@pytest.mark.parametrize("becomes", [passes, is_paid, goes_live])
def test_debt_can_be_waived_again_once_what_is_under_it_is_mended(
    world: World, becomes: Callable[[World, str], None]
) -> None:
    """The commit between passed, was paid, or runs in production: each speaks for the one below that failed."""
    failed, between, above = merge(world, 3)
    released(world, failed, 1, Verdict.FAILED)
    released(world, between, 2)
    debt = owe(world, above, 3)
    assert under(debt) == [between[:7], failed[:7]]

    becomes(world, between)

    assert (waive(debt).state, waive(debt).detail) == (DebtState.WAIVED, "")


def test_release_above_a_waived_debt_may_be_waived_as_well(world: World) -> None:
    """What approvers let through once bars nobody."""
    below, above = merge(world, 2)
    waive(owe(world, below, 4))

    assert waive(owe(world, above, 5)).state is DebtState.WAIVED


def test_waiver_speaks_for_its_own_commit_alone(world: World) -> None:
    """Production had what failed, overridden, when it was given; it went back since."""
    good, failed, waived, above = merge(world, 4)
    released(world, good, 3, Verdict.PASSED)
    released(world, failed, 5, Verdict.FAILED)
    runs_in_production(world, failed, 5)
    assert waive(owe(world, waived, 6)).state is DebtState.WAIVED
    runs_in_production(world, good, 3)

    assert under(owe(world, above, 7)) == [failed[:7]]


def test_release_that_was_cancelled_before_its_place_was_known_bars_too(world: World) -> None:
    """Its code would be in nobody's evidence."""
    early, above = merge(world, 2)
    begun = replace(RECORD, id=f"release-{early}", repository=world.repository, position=0)
    records.save_record(world.blobs, replace(begun, commit=replace(RECORD.commit, sha=early)))
    debt = owe(world, above, 5)

    assert under(debt) == [early[:7]]
    runs_in_production(world, above, 5)
    assert waive(debt).state is DebtState.WAIVED


def test_waiver_after_the_date_is_none(world: World) -> None:
    """However long it took to count the votes."""
    (above,) = merge(world, 1)
    debt = replace(owe(world, above, 5), expires_at=AT)
    world.blobs.write_json(blob_names.debt(world.repository, above), asdict(debt))

    assert (waive(debt).state, waive(debt).settled_by) == (DebtState.OPEN, "")
    assert f"expired at {AT} and cannot be waived any more" in waive(debt).detail


def test_debt_underneath_whose_position_turned_round_is_seen(world: World) -> None:
    """Its origin was found late, among forced pushes: production would carry it unpaid."""
    runs_in_production(world, world.record.commit.sha, MOST_COMMITS + 1)
    below, above = merge(world, 2)
    owe(world, below, 5 * MOST_COMMITS + 3)

    assert under(owe(world, above, 3 * MOST_COMMITS + 5)) == [below[:7]]


def test_debt_that_production_has_already_is_history_over_a_rewrite_too(world: World) -> None:
    """What runs there descends from it."""
    below, live, above = merge(world, 3)
    runs_in_production(world, live, MOST_COMMITS + 4)
    owe(world, below, 5 * MOST_COMMITS + 3)

    assert waive(owe(world, above, 3 * MOST_COMMITS + 5)).state is DebtState.WAIVED


def test_debt_of_which_github_does_not_tell_is_carried(world: World) -> None:
    """So it cannot be waived unseen, and the full evaluation pays both."""
    below, above = merge(world, 2)
    owe(world, below, 3 * MOST_COMMITS + 3)
    world.double.fault(path_regex="/compare/", status=503, times=100)

    assert under(owe(world, above, 5 * MOST_COMMITS + 5)) == [below[:7]]


def test_nobody_waits_for_hundreds_of_answers(world: World) -> None:
    """Also after a rewrite of everything, of which GitHub knows no older commit any more."""
    (above,) = merge(world, 1)
    runs_in_production(world, world.record.commit.sha, 4 * MOST_COMMITS)
    for position in range(1, 60):
        released(world, f"{position:040x}", MOST_COMMITS + position)
    known = len(world.double.requests())

    assert waive(owe(world, above, 5 * MOST_COMMITS)).state is DebtState.WAIVED
    asked = [one for one in world.double.requests()[known:] if "/compare/" in one["path"]]
    assert 0 < len(asked) < 20
