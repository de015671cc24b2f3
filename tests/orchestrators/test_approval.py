"""Waiting for people."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.approvals import Decision, decide
from domain.models import ApprovalRequest, Debt, DebtState, OptOut, Vote
from orchestrators.approval import LOOKS_PER_GENERATION, approval
from tests import samples
from tests.orchestrators.stage import START, Stage
from tests.orchestrators.test_release import AROUND

DIGEST = "d" * 64
REQUEST = ApprovalRequest(
    release=samples.RELEASE,
    environment="prod",
    digest=DIGEST,
    approvers=("maria", "jonas", "priya"),
    nonces=("a", "b", "c"),
    approvals=2,
    excluded=(),
    opened_at="2026-11-23T09:00:00Z",
    remind_at="2026-11-24T09:00:00Z",
    expires_at="2026-11-26T09:00:00Z",
    instance="i",
    look=3600.0,
)
KNOWN: dict[str, Any] = {"debt": None, "opted_out": []}
WHERE = {"release": samples.RELEASE, "environment": "prod"}
DEBT = Debt(
    samples.REPOSITORY,
    samples.RELEASE,
    samples.SHA,
    (OptOut("skip-e2e-evaluation", 7, "alex", "2026-11-23T08:00:00Z", "docs"),),
    "the full evaluation",
    "2026-11-23T09:00:00Z",
    "2026-11-30T09:00:00Z",
)
HOURS = timedelta(hours=1)


def stage_with(*voting: tuple[float, str, str], rings: bool = True) -> Stage:
    """Return a stage where people vote: (hours after the start, approver, decision)."""

    def votes() -> list[Vote]:
        given = [(hours, name, decision) for hours, name, decision in voting if START + hours * HOURS <= stage.now]
        return [Vote(name, name, decision, "", DIGEST, str(hours)) for hours, name, decision in given]

    def close(_: Any) -> Any:
        decision = decide(REQUEST, votes())
        outcome = "expired" if decision is Decision.OPEN else decision.value
        return {"decision": outcome, "votes": [asdict(vote) for vote in votes()], "digest": DIGEST}

    events = [(hours * HOURS, f"approval:prod:{REQUEST.approvers.index(name)}") for hours, name, _ in voting]
    activities = {
        "look_at_approval": lambda _: {"votes": [asdict(vote) for vote in votes()], "around": AROUND},
        "remind_approvers": lambda _: None,
        "close_approval": close,
    }
    stage = Stage(activities, events=events if rings else [])
    return stage


def play(stage: Stage) -> Any:
    """Ask the approvers."""
    return stage.play(approval, {"request": asdict(REQUEST), "where": WHERE, "known": KNOWN})


def hours(stage: Stage) -> float:
    """Return how long it took, in hours."""
    return round((stage.now - START) / HOURS, 1)


def test_quorum_opens_the_bridge() -> None:
    """Two of three approve; the timer that lost is cancelled, since an open one keeps the instance running."""
    stage = stage_with((1.5, "maria", "approve"), (3.2, "jonas", "approve"))

    output = play(stage)

    assert output["decision"] == "approved"
    assert [vote["approver"] for vote in output["votes"]] == ["maria", "jonas"]
    assert hours(stage) == 3.2
    assert stage.timers[-1].cancelled


def test_one_rejection_ends_it() -> None:
    """Also after an approval."""
    stage = stage_with((1.5, "maria", "approve"), (2.5, "priya", "reject"))

    assert play(stage)["decision"] == "rejected"
    assert hours(stage) == 2.5


def test_nobody_votes_and_it_expires_after_one_reminder() -> None:
    """The reminder comes once, at its time; the deadline ends it, several generations later."""
    reminded: list[datetime] = []
    stage = stage_with()
    stage.activities["remind_approvers"] = lambda _: reminded.append(stage.now)

    output = play(stage)

    assert output == {"decision": "expired", "votes": [], "digest": DIGEST}
    assert [round((at - START) / HOURS, 1) for at in reminded] == [24.0]
    assert hours(stage) == 72.0
    assert stage.generations == 72 // LOOKS_PER_GENERATION + 1


def test_one_approval_is_not_two() -> None:
    """A quorum that is not reached expires, and the vote that was given is kept."""
    stage = stage_with((1.5, "maria", "approve"))

    output = play(stage)

    assert output["decision"] == "expired"
    assert [vote["approver"] for vote in output["votes"]] == ["maria"]


def test_vote_that_came_before_anybody_listened_counts_at_once() -> None:
    """Links are out before this orchestration runs."""
    stage = stage_with((0, "maria", "approve"), (0, "jonas", "approve"), rings=False)

    assert play(stage)["decision"] == "approved"
    assert hours(stage) == 0.0


def test_vote_whose_ring_was_lost_counts_within_the_hour() -> None:
    """The blobs are the truth, and they are looked at every hour."""
    stage = stage_with((1.2, "maria", "approve"), (1.4, "jonas", "approve"), rings=False)

    assert play(stage)["decision"] == "approved"
    assert hours(stage) == 2.0


def test_no_timer_is_longer_than_an_hour() -> None:
    """Long timers stay open on Azure after the decision, whatever is cancelled."""
    stage = stage_with((1.5, "maria", "reject"))

    play(stage)

    assert all(timer.fire_at - START <= 2 * HOURS for timer in stage.timers)


@pytest.mark.parametrize(
    "news",
    [
        {"superseded_by": "release-acme.helpdesk-" + "f" * 40},
        {"debt": asdict(replace(DEBT, state=DebtState.PAID))},
        {"debt": asdict(DEBT), "opt_outs": []},
    ],
)
def test_news_ends_the_question_even_when_it_is_answered(news: dict[str, Any]) -> None:
    """Overtaken, paid, or an opt-out withdrawn: votes on what was known before decide nothing."""
    stage = stage_with((0, "maria", "approve"), (0, "jonas", "approve"))
    votes = stage.activities["look_at_approval"](None)["votes"]
    stage.activities["look_at_approval"] = lambda _: {"votes": votes, "around": {**AROUND, **news}}
    known = {"debt": "open" if "opt_outs" in news else None, "opted_out": [7]}

    output = stage.play(approval, {"request": asdict(REQUEST), "where": WHERE, "known": known})

    assert output == {"decision": "news"}
    assert stage.payloads("close_approval") == []


def test_somebody_who_begins_to_pay_is_no_news() -> None:
    """The evidence is as it was until there is a verdict."""
    paying = {**AROUND, "debt": asdict(replace(DEBT, state=DebtState.PAYING))}
    stage = stage_with((0, "maria", "approve"), (0, "jonas", "approve"))
    votes = stage.activities["look_at_approval"](None)["votes"]
    stage.activities["look_at_approval"] = lambda _: {"votes": votes, "around": paying}

    output = stage.play(
        approval, {"request": asdict(REQUEST), "where": WHERE, "known": {"debt": "open", "opted_out": [7]}}
    )

    assert output["decision"] == "approved"
