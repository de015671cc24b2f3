"""What is new in evidence, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.evidence_news import changed
from domain.models import Debt, DebtState, Evidence, Image, OptOut, Override, Verdict
from tests import samples

DEBT = Debt(samples.REPOSITORY, samples.RELEASE, samples.SHA, (), "the full evaluation", "2026-11-23", "2026-11-30")
OPT_OUT = OptOut("skip-e2e-evaluation", 7, "alex", "2026-11-23")
BEFORE = Evidence(
    samples.RELEASE,
    samples.REPOSITORY,
    "prod",
    samples.origin().commit,
    samples.origin().changes,
    samples.IMAGE,
    (samples.summary(),),
    (OPT_OUT,),
    (),
    ("maria",),
    1,
    False,
    debt=DEBT,
)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"evaluations": (samples.summary(), samples.summary("full"))},
            "The full evaluation ran: passed, f1 0.610 over 30 rows.",
        ),
        (
            {"evaluations": (replace(samples.summary(), id="again", verdict=Verdict.FAILED),)},
            "The minimal evaluation ran again: failed,  – 0 of 30 rows errored.",
        ),
        ({"debt": replace(DEBT, state=DebtState.PAID)}, "The evaluation debt was paid: the full evaluation passed."),
        ({"debt": None}, "There is no evaluation debt any more."),
        (
            {"debt": replace(DEBT, detail="A waiver did not count, since it stands on badc0de.")},
            "A waiver did not count, since it stands on badc0de.",
        ),
        ({"opt_outs": ()}, "Change #7 does not opt out any more."),
        ({"opt_outs": (OPT_OUT, replace(OPT_OUT, change=8))}, "Change #8 opted out of the full evaluation."),
        (
            {"overrides": (Override("e", Verdict.FAILED, "maria", "seen by hand", "2026-11-23", "d"),)},
            "maria overrode the failed full evaluation.",
        ),
        ({"image": Image("sha256:" + "cd" * 32, "x")}, "Another image would be deployed."),
        ({"approvals": 2}, "Other people may decide, or another number of them."),
        ({}, "Part of what was shown is different."),
    ],
)
def test_each_difference_is_one_sentence(fields: dict[str, object], sentence: str) -> None:
    """Approvers read what to look at again."""
    assert changed(BEFORE, replace(BEFORE, **fields)) == (sentence,)  # type: ignore[arg-type]


def test_debt_that_was_not_there_before_is_told() -> None:
    """With what is owed."""
    assert changed(replace(BEFORE, debt=None), BEFORE) == ("There is evaluation debt now: the full evaluation.",)
