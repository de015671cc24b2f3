"""Waiting for people."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from domain.models import ApprovalRequest, Vote
from orchestrators.approval import approval
from tests import samples
from tests.orchestrators.stage import START, Stage

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
)
HOURS = timedelta(hours=1)


def stage_with(*voting: tuple[int, str, str], rings: bool = True) -> Stage:
    """Return a stage where people vote: (hours after the start, approver, decision)."""

    def read_votes(_: Any) -> Any:
        given = [(hours, name, decision) for hours, name, decision in voting if START + hours * HOURS <= stage.now]
        return [asdict(Vote(name, name, decision, "", DIGEST, str(hours))) for hours, name, decision in given]

    events = [(hours * HOURS, f"approval:prod:{REQUEST.approvers.index(name)}") for hours, name, _ in voting]
    activities = {"read_votes": read_votes, "remind_approvers": lambda _: None, "close_approval": lambda _: None}
    stage = Stage(activities, events=events if rings else [])
    return stage


def test_quorum_opens_the_bridge() -> None:
    """Two of three approve; the timers that lost are cancelled, since an open one keeps the instance running."""
    stage = stage_with((1, "maria", "approve"), (3, "jonas", "approve"))

    output = stage.play(approval, asdict(REQUEST))

    assert output["decision"] == "approved"
    assert [vote["approver"] for vote in output["votes"]] == ["maria", "jonas"]
    assert stage.now == START + 3 * HOURS
    assert all(timer.cancelled for timer in stage.timers)
    assert stage.payloads("close_approval")[0]["decision"] == "approved"


def test_one_rejection_ends_it() -> None:
    """Also after an approval."""
    stage = stage_with((1, "maria", "approve"), (2, "priya", "reject"))

    assert stage.play(approval, asdict(REQUEST))["decision"] == "rejected"


def test_nobody_votes_and_it_expires_after_one_reminder() -> None:
    """The reminder comes once, at its time; the deadline ends it."""
    stage = stage_with()

    output = stage.play(approval, asdict(REQUEST))

    assert output == {"decision": "expired", "votes": []}
    assert len(stage.payloads("remind_approvers")) == 1
    assert stage.now.isoformat() == "2026-11-26T09:00:00+00:00"


def test_one_approval_is_not_two() -> None:
    """A quorum that is not reached expires, and the vote that was given is kept."""
    stage = stage_with((1, "maria", "approve"))

    output = stage.play(approval, asdict(REQUEST))

    assert output["decision"] == "expired"
    assert [vote["approver"] for vote in output["votes"]] == ["maria"]


def test_vote_whose_ring_was_lost_still_counts() -> None:
    """The reminder reads the votes again: the blobs are the truth."""
    stage = stage_with((1, "maria", "approve"), (2, "jonas", "approve"), rings=False)

    assert stage.play(approval, asdict(REQUEST))["decision"] == "approved"
    assert stage.payloads("remind_approvers") == []
