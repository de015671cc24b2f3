"""What a night evaluates again, what it calls worse, and whose debts it takes over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain import nightly
from domain.models import Comparison, Debt, DebtState, MetricChange, Verdict
from domain.nightly import HEAD, Night, Payment, Seen, Target
from tests import samples

INSTANCE = "nightly-acme.helpdesk-2026-11-23"
TARGET = Target(HEAD, samples.SHA, "print")
SEEN = Seen(HEAD, "5" * 40, "print", "before", "2026-11-22", Verdict.PASSED, good="before")
CHANGE = MetricChange("f1", 30, 0.6, 0.5, -0.1, -0.15, -0.05, 0.1)
DEBT = Debt(samples.REPOSITORY, samples.RELEASE, samples.SHA, (), "all", "2026-11-20T09:00:00Z", "")


@pytest.mark.parametrize(
    ("seen", "speaks"),
    [
        (SEEN, True),
        (replace(SEEN, verdict=Verdict.INCONCLUSIVE), True),
        (replace(SEEN, verdict=Verdict.FAILED), True),
        (replace(SEEN, verdict=Verdict.FAILED, errored=3), False),  # the model may have had a bad day
        (replace(SEEN, verdict=None), False),
        (replace(SEEN, fingerprint="another"), False),
    ],
)
def test_earlier_evaluation_speaks_for_the_same_files_and_rules(seen: Seen, speaks: bool) -> None:
    """Unless rows in error may have made it fail."""
    assert (nightly.known(TARGET, [seen]) == seen) is speaks


def test_target_without_a_fingerprint_is_like_no_other() -> None:
    """Two that cannot be looked at are not the same."""
    assert nightly.known(replace(TARGET, fingerprint=""), [replace(SEEN, fingerprint="")]) is None


@pytest.mark.parametrize(
    ("change", "worse"),
    [
        (CHANGE, True),
        (replace(CHANGE, high=0.001), False),
        (replace(CHANGE, count=9), False),
        (replace(CHANGE, low=None, high=None), False),
    ],
)
def test_metric_is_worse_when_its_whole_interval_is(change: MetricChange, worse: bool) -> None:
    """Anything less could be noise, and nine rows agree by chance."""
    comparison = Comparison("before", "5" * 40, None, (change,))

    seen = nightly.judge(TARGET, samples.summary("full"), comparison, SEEN, "2026-11-23", "2026-11-23")

    assert bool(seen.worse) is worse


def test_comparison_that_is_refused_says_nothing_about_worse() -> None:
    """Another dataset: the verdict alone counts."""
    comparison = Comparison("before", "5" * 40, "another dataset", (CHANGE,))

    assert nightly.judge(TARGET, samples.summary("full"), comparison, SEEN, "d", "d").worse == ()


def test_inconclusive_night_is_no_regression_and_no_good_night() -> None:
    """The next one is compared with the one before."""
    seen = nightly.judge(TARGET, samples.summary("full", Verdict.INCONCLUSIVE), None, SEEN, "d", "d")

    assert (seen.worse, seen.good) == ((), "before")


@pytest.mark.parametrize(
    ("state", "by", "left"),
    [
        (DebtState.PAYING, "nightly-acme.helpdesk-2026-11-22", "nightly-acme.helpdesk-2026-11-22"),
        (DebtState.PAYING, "on-demand-acme.helpdesk-5-full-c1", "on-demand-acme.helpdesk-5-full-c1"),
        (DebtState.PAYING, INSTANCE, ""),
        (DebtState.PAYING, samples.RELEASE, ""),
        (DebtState.OPEN, "", ""),
        (DebtState.FAILED, "nightly-acme.helpdesk-2026-11-22", ""),
    ],
)
def test_payment_of_another_night_or_on_demand_is_taken_over(state: DebtState, by: str, left: str) -> None:
    """Not a release's: it pays its own debt when its opt-out is withdrawn."""
    assert nightly.left_behind(replace(DEBT, state=state, settled_by=by), INSTANCE) == left


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (DebtState.PAYING, "running"),
        (DebtState.PAID, "passed"),
        (DebtState.FAILED, "failed"),
        (DebtState.OPEN, "error"),
    ],
)
def test_payment_is_followed_like_any_evaluation(state: DebtState, shown: str) -> None:
    """Under the name that the debt will carry."""
    name = nightly.payment_id(DEBT, "2026-11-23")

    record = nightly.payment_record(
        DEBT, Payment(DEBT.release, DEBT.commit, name, state, "why"), "2026-11-23T02:00:00Z"
    )

    assert (record.id, record.instance) == (f"{DEBT.release}.full-2026-11-23", f"{DEBT.release}.full-2026-11-23.run")
    assert (record.state, record.kind, record.source) == (shown, "full", "nightly")


def test_departed_target_that_was_fine_is_forgotten() -> None:
    """Only a regression has an issue to close."""
    last = Night(samples.REPOSITORY, "2026-11-22", "n", "", targets=(SEEN, replace(SEEN, name="prod", worse=("w",))))

    (gone,) = nightly.departed((), last)

    assert (gone.name, gone.gone, gone.worse) == ("prod", True, ())
    assert nightly.departed((), None) == ()
