"""What the demo counts as having gone well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devhost.demo import (
    as_they_should,
    is_fully_evaluated,
    paid_before_production,
    waits_for_its_debt,
    was_stopped_by_gates,
    went_out,
)
from domain.debts import incur
from domain.models import DebtState, Outcome, Stage, StageState, Verdict
from scripts import preview_data as data
from tests import samples

FAILED = replace(data.minimal(), verdict=Verdict.FAILED, errored=0)


def test_only_a_release_in_production_went_out():
    """Every other end is none."""
    assert went_out(data.released())
    assert not any(went_out(record) for record in (data.stopped(), data.rejected(), data.expired()))


@pytest.mark.parametrize(
    ("outcome", "evaluation", "expected"),
    [
        (Outcome.FAILED, FAILED, True),
        (Outcome.FAILED, replace(FAILED, errored=3), False),
        (Outcome.FAILED, replace(FAILED, verdict=Verdict.PASSED), False),
        (Outcome.RELEASED, FAILED, False),
    ],
    ids=["gates", "broken rows", "something else", "released"],
)
def test_a_stop_counts_only_when_gates_saw_worse_answers(outcome, evaluation, expected):
    """A broken model or a failed deployment would also end a release, but show nothing."""
    record = replace(data.stopped(), outcome=outcome, evaluations=(evaluation,))

    assert was_stopped_by_gates(record) is expected


def paid(**debt):
    """A released release that skipped its full evaluation, with its debt as a test wants it."""
    record = data.released()
    known = replace(
        incur(record, samples.CONFIG, record.created_at), state=DebtState.PAID, settled_at=record.created_at
    )
    return replace(record, debt=replace(known, **debt))


def test_a_debt_counts_as_paid_only_before_production_was_deployed():
    """Paid later, waived or open, production would have carried it."""
    assert paid_before_production(paid())
    assert not paid_before_production(paid(settled_at="2999-01-01T00:00:00Z"))
    assert not any(paid_before_production(paid(state=state)) for state in (DebtState.OPEN, DebtState.WAIVED))
    assert not paid_before_production(data.released())


def test_all_three_must_end_as_they_should():
    """One that is missing is as bad as one that ended otherwise."""
    stopped = replace(data.stopped(), outcome=Outcome.FAILED, evaluations=(FAILED,))

    assert as_they_should([data.released(), paid(), stopped])
    assert not as_they_should([data.released(), data.released(), stopped])
    assert not as_they_should([data.released(), paid()])


def test_only_a_full_evaluation_ends_the_first_act():
    """The minimal one comes long before, while there is nothing to overlap yet."""
    assert is_fully_evaluated(replace(data.released(), evaluations=(replace(data.minimal(), kind="full"),)))
    assert not is_fully_evaluated(replace(data.released(), evaluations=(data.minimal(),)))


@pytest.mark.parametrize(
    ("stage", "state", "expected"),
    [
        ("approve-prod", DebtState.PAYING, True),
        ("approve-prod", DebtState.PAID, False),
        ("approve-nonprod", DebtState.PAYING, False),
    ],
)
def test_a_release_waits_for_its_debt_where_production_is_next(stage, state, expected):
    """Before, it goes on although it owes; after the payment it waits for people."""
    record = replace(paid(state=state), stages=(Stage(stage, StageState.RUNNING),))

    assert waits_for_its_debt(record) is expected
