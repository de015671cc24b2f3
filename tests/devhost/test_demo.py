"""What the demo counts as having gone well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devhost.demo import was_stopped_by_gates, went_out
from domain.models import Outcome, Verdict
from scripts import preview_data as data

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
