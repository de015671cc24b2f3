"""Debts: incurred, taken by one payer, settled once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.branch_line import AHEAD, BEHIND, DIVERGED, IDENTICAL, MOST_COMMITS, Place
from domain.debts import Branch, block_production, can_be_waived, incur, is_overdue, paid_with, settle, stack, take
from domain.models import Debt, DebtState, Override, Verdict
from tests import samples

AT, LATER, DUE = "2026-11-23T09:00:00Z", "2026-11-24T01:00:00Z", "2026-11-30T09:00:00Z"


@pytest.fixture
def debt() -> Debt:
    """A debt of seven days."""
    return incur(samples.record(), samples.CONFIG, AT)


def test_debt_says_what_is_owed_and_until_when(debt: Debt) -> None:
    """Seven days are the default."""
    assert (debt.commit, debt.state, debt.expires_at) == (samples.SHA, DebtState.OPEN, DUE)
    assert debt.owed == "the full evaluation on data/full.jsonl: f1 >= 0.45, f1 drop <= 0.05"


@pytest.mark.parametrize(
    ("state", "blocks"), [("open", True), ("paying", True), ("failed", True), ("paid", False), ("waived", False)]
)
def test_production_waits_unless_it_is_paid_or_waived(debt: Debt, state: str, blocks: bool) -> None:
    """A failed payment blocks as an open one does."""
    owing = samples.record(debt=replace(debt, state=DebtState(state), evaluation="e"))

    assert block_production(owing) is blocks
    assert not block_production(samples.record())


def test_failed_payment_blocks_until_that_evaluation_is_overridden(debt: Debt) -> None:
    """An override of another one does not count, and none helps while nothing was evaluated."""
    override = Override("e", Verdict.FAILED, "priya", "known outlier", LATER, "d")
    failed = samples.record(debt=replace(debt, state=DebtState.FAILED, evaluation="e"), overrides=(override,))

    assert not block_production(failed)
    assert block_production(replace(failed, overrides=(replace(override, evaluation="other"),)))
    assert block_production(replace(failed, debt=debt))


def test_debt_can_be_waived_until_it_expires(debt: Debt) -> None:
    """After that only a payment helps, and the debt is overdue."""
    assert can_be_waived(debt, LATER)
    assert not can_be_waived(debt, DUE)
    assert (is_overdue(debt, LATER), is_overdue(debt, DUE)) == (False, True)
    assert not can_be_waived(replace(debt, state=DebtState.FAILED), LATER)
    assert not is_overdue(replace(debt, state=DebtState.PAID), DUE)
    assert not is_overdue(replace(debt, state=DebtState.FAILED), DUE)


def test_one_payer_at_a_time(debt: Debt) -> None:
    """It may ask again; another one only when the first is known to be gone."""
    taken = take(debt, "night-1")

    assert taken is not None
    assert (taken.state, taken.settled_by) == (DebtState.PAYING, "night-1")
    assert take(taken, "night-1") == taken
    assert take(taken, "night-2") is None
    assert take(taken, "night-2", over_from="night-1") == replace(taken, settled_by="night-2")
    assert take(replace(debt, state=DebtState.WAIVED), "night-1") is None


def test_first_verdict_or_waiver_is_final(debt: Debt) -> None:
    """A late waiver does not hide a failed evaluation, nor does a second payment."""
    failed = settle(debt, DebtState.FAILED, "night-1", LATER, "e", "f1 too low")

    assert (failed.state, failed.evaluation, failed.detail) == (DebtState.FAILED, "e", "f1 too low")
    assert settle(failed, DebtState.WAIVED, "maria", LATER) == failed
    assert settle(failed, DebtState.PAID, "night-2", LATER, "e2") == failed


def test_payment_that_could_not_run_leaves_it_open(debt: Debt) -> None:
    """For the next night, with what went wrong."""
    again = settle(replace(debt, state=DebtState.PAYING, settled_by="n"), DebtState.OPEN, "n", LATER, detail="no model")

    assert (again.state, again.settled_by, again.detail) == (DebtState.OPEN, "", "no model")


@pytest.mark.parametrize(("verdict", "state"), [("passed", "paid"), ("failed", "failed"), ("inconclusive", "failed")])
def test_only_a_pass_pays(verdict: str, state: str) -> None:
    """An evaluation that cannot tell leaves it to those who may override."""
    assert paid_with(Verdict(verdict)) == state


NOWHERE = Place("", 0)


def test_debt_on_top_of_what_never_passed_must_be_paid(debt: Debt) -> None:
    """Its approvers would waive what is under it without being shown it; what production has already is history."""
    released = (Place("live", 3), Place("owed", 4), Place("bad", 5), Place(debt.commit, 7), Place("newer", 8))

    stacked = stack(replace(debt, position=7), Branch(released), Place("live", 3), {})

    assert stacked.on_top_of == ("bad", "owed")
    assert not can_be_waived(stacked, LATER)
    assert can_be_waived(stack(stacked, Branch(released), Place("bad", 5), {}), LATER)


@pytest.mark.parametrize(
    ("passed", "under"),
    [
        (Place("mend", 6), ()),  # everything below it was evaluated with it
        (Place("owed", 4), ("mend", "bad")),
        (Place("newer", 8), ("mend", "bad", "owed")),  # it stands on this one: that says nothing about what is below
        (Place("elsewhere", 3 * MOST_COMMITS), ("mend", "bad", "owed")),  # nobody knows how it stands
    ],
)
def test_evaluation_that_passed_covers_what_is_behind_it(debt: Debt, passed: Place, under: tuple[str, ...]) -> None:
    """A mended commit takes the bar away, however often it failed before."""
    released = (Place("owed", 4), Place("bad", 5), Place("mend", 6), Place("newer", 8))

    assert stack(replace(debt, position=7), Branch(released, (), (passed,)), NOWHERE, {}).on_top_of == under


OLD, NEW, NEWEST = (generation * MOST_COMMITS + 5 for generation in (1, 3, 5))


@pytest.mark.parametrize(
    ("mine", "there", "stands"),
    [
        (AHEAD, DIVERGED, True),  # its origin was found late, so its position is greater
        (AHEAD, BEHIND, True),
        (AHEAD, AHEAD, False),  # production has it
        (AHEAD, IDENTICAL, False),
        (AHEAD, None, True),
        (BEHIND, DIVERGED, False),  # it stands on this one
        (DIVERGED, DIVERGED, False),
        (None, DIVERGED, True),  # nobody knows
        (None, None, True),
        (None, AHEAD, False),
    ],
)
def test_over_a_rewritten_branch_github_says_what_a_debt_stands_on(
    debt: Debt, mine: str | None, there: str | None, stands: bool
) -> None:
    """Positions of two generations tell nothing: what nobody knows is carried, so nobody can waive it unseen."""
    told = {("mine", "other"): mine, ("live", "other"): there}
    relations = {pair: word for pair, word in told.items() if word}
    above = replace(debt, commit="mine", position=NEW)

    stacked = stack(above, Branch((Place("other", NEWEST),)), Place("live", OLD), relations)

    assert stacked.on_top_of == (("other",) if stands else ())


def test_commit_that_the_branch_lost_is_carried_until_production_has_gone_past_it(debt: Debt) -> None:
    """A rebase may have brought it again under another name; a failed one must not bar waivers for ever."""
    lost, above = Place("other", NEW), replace(debt, commit="mine", position=NEWEST)
    relations = {("mine", "other"): DIVERGED, ("live", "other"): DIVERGED}

    assert stack(above, Branch((lost,)), Place("live", OLD), relations).on_top_of == ("other",)
    assert stack(above, Branch((lost,)), Place("live", NEWEST - 1), relations).on_top_of == ()


def test_of_what_the_branch_lost_nobody_knows_all_is_carried(debt: Debt) -> None:
    """GitHub told of the older one that it is lost, and then nothing more."""
    lost, above = (Place("lost", NEW), Place("other", NEW + 1)), replace(debt, commit="mine", position=NEWEST)
    relations = {("mine", "lost"): DIVERGED, ("live", "lost"): DIVERGED}

    assert stack(above, Branch(lost), Place("live", OLD), relations).on_top_of == ("other", "lost")


class Told(dict[tuple[str, str], str]):
    """What GitHub says, counted; it says nothing of what is not in it."""

    asked = 0

    def get(self, pair: Any, default: Any = None) -> Any:
        self.asked += 1
        return super().get(pair, default)


@pytest.mark.parametrize(
    ("live", "at", "passed", "under"),
    [
        (400, NEWEST - 1, [], range(899, 400, -1)),  # production has gone past those that the branch lost
        (400, OLD, [], range(999, 400, -1)),
        (899, NEWEST - 1, [], range(0)),
        (-1, NEWEST - 1, [700], range(899, 700, -1)),
        (-1, NEWEST - 1, [899, 950], range(0)),  # of two that passed mine has the older one
    ],
)
def test_few_questions_tell_of_an_older_generation_what_is_missing(
    debt: Debt, live: int, at: int, passed: list[int], under: range
) -> None:
    """It has a thousand releases, of which the rewrite lost a hundred."""
    told = Told()
    for number in range(1000):
        told["mine", str(number)] = AHEAD if number < 900 else DIVERGED
        told["live", str(number)] = AHEAD if number <= live else DIVERGED
    places = tuple(Place(str(number), NEW + number) for number in range(1000))
    branch = Branch(places, (), tuple(places[number] for number in passed))

    stacked = stack(replace(debt, commit="mine", position=NEWEST), branch, Place("live", at), told)

    assert stacked.on_top_of == tuple(str(number) for number in under)
    assert told.asked < 60


def test_evaluation_that_passed_speaks_for_an_older_generation_as_well(debt: Debt) -> None:
    """It was built on top of what the rewrite kept."""
    branch = Branch((Place("c1", OLD), Place("c2", OLD + 1), Place("d4", NEW)), (), (Place("d4", NEW),))
    relations = {("mine", "c1"): AHEAD, ("mine", "c2"): AHEAD, ("d4", "c1"): AHEAD}
    mine = replace(debt, commit="mine", position=NEW + 1)

    assert stack(mine, branch, NOWHERE, relations).on_top_of == ("c2",)
    assert stack(mine, branch, NOWHERE, {**relations, ("d4", "c2"): AHEAD}).on_top_of == ()


@pytest.mark.parametrize(
    ("mine", "live", "passed", "under"),
    [
        (AHEAD, DIVERGED, DIVERGED, True),
        (None, None, None, True),  # nobody knows
        (AHEAD, BEHIND, BEHIND, True),
        (AHEAD, IDENTICAL, DIVERGED, False),
        (AHEAD, DIVERGED, AHEAD, False),
        (DIVERGED, None, None, False),
        (BEHIND, None, None, False),
    ],
)
def test_release_that_ended_before_its_place_was_known_is_asked_about(
    debt: Debt, mine: str | None, live: str | None, passed: str | None, under: bool
) -> None:
    """Whoever cancels it early would hide its code from everybody."""
    told = {("mine", "early"): mine, ("live", "early"): live, ("fine", "early"): passed}
    relations = {pair: word for pair, word in told.items() if word}
    branch = Branch((), ("early", "mine"), (Place("fine", 4),))

    stacked = stack(replace(debt, commit="mine", position=7), branch, Place("live", 3), relations)

    assert stacked.on_top_of == (("early",) if under else ())
