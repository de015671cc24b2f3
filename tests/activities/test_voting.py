"""The votes on an environment: read, and counted behind a shut door."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from activities.close_approval import close_approval
from activities.look_at_approval import look_at_approval
from activities.open_approval import open_approval
from domain import blob_names
from domain.config import Environment
from domain.errors import NotFound
from domain.models import ApprovalRequest, Vote
from domain.wire import read
from tests.activities.conftest import AT, World, run
from tests.fakes import audited

RULES = {"name": "prod", "approvers": ["maria", "jonas", "priya"], "approvals": 2}


@pytest.fixture
def asked(world: World) -> ApprovalRequest:
    """The question to the approvers of prod; the release's record is stored."""
    return ask(world)


def ask(world: World, **rules: Any) -> ApprovalRequest:
    """Ask the approvers of prod."""
    world.blobs.write_json(blob_names.record(world.record.id), asdict(world.record))
    environment = Environment.model_validate({**RULES, **rules}).model_dump(mode="json")
    order = {"record": asdict(world.record), "environment": environment, "instance": "child", "at": AT, "last": True}
    return read(ApprovalRequest, run(open_approval, order)["request"])


def vote(world: World, asked: ApprovalRequest, login: str, decision: str = "approve", **fields: Any) -> None:
    """Store a vote as the approval page does."""
    number = asked.approvers.index(login)
    given = Vote(login, f"{login}@acme.example", decision, "", asked.digest, f"2026-11-23T10:0{9 - number}:00Z")
    world.blobs.create_json(
        blob_names.vote(asked.release, "prod", 1, given.principal), asdict(replace(given, **fields))
    )


def where(asked: ApprovalRequest) -> dict[str, Any]:
    """Return what names the question."""
    return {
        "release": asked.release,
        "environment": asked.environment,
        "repository": "acme/helpdesk",
        "sha": "c" * 40,
        "position": 1,
        "lane": asked.environment,
    }


def outcome(world: World, asked: ApprovalRequest) -> Any:
    """Return what stands on the door."""
    return world.blobs.read_json(blob_names.approval_outcome(asked.release, "prod"))


def test_votes_come_in_the_order_they_were_given(world: World, asked: ApprovalRequest) -> None:
    """Not in the order of the approvers in the config."""
    vote(world, asked, "maria")
    vote(world, asked, "priya")

    assert [one["approver"] for one in run(look_at_approval, where(asked))["votes"]] == ["priya", "maria"]


def test_question_that_was_never_asked_has_no_votes(world: World) -> None:
    """The story has gone wrong; it must not look like nobody voted."""
    with pytest.raises(NotFound, match="nobody was asked about prod"):
        run(look_at_approval, {"release": "release-none", "environment": "prod"})


@pytest.mark.parametrize(
    ("votes", "decision"),
    [
        ({}, "expired"),
        ({"maria": "approve"}, "expired"),
        ({"maria": "approve", "jonas": "approve"}, "approved"),
        ({"maria": "approve", "jonas": "approve", "priya": "reject"}, "rejected"),
        ({"priya": "reject"}, "rejected"),
    ],
)
def test_closing_counts_whoever_is_inside(
    world: World, asked: ApprovalRequest, votes: dict[str, str], decision: str
) -> None:
    """A rejection that came in at the last moment wins; the door says what was decided."""
    for login, choice in votes.items():
        vote(world, asked, login, choice)

    closed = run(close_approval, where(asked))

    assert closed["decision"] == decision
    assert {one["approver"]: one["decision"] for one in closed["votes"]} == votes
    assert outcome(world, asked) == {"decision": decision}


def test_closing_twice_says_the_same(world: World, asked: ApprovalRequest) -> None:
    """An activity may run again after its effect."""
    vote(world, asked, "maria")
    vote(world, asked, "jonas")

    assert run(close_approval, where(asked)) == run(close_approval, where(asked))


def test_vote_that_counts_is_in_the_audit_log_whoever_died_on_the_way(world: World, asked: ApprovalRequest) -> None:
    """It is traced when it is given, and again when it is counted: there it stands once."""
    vote(world, asked, "maria", comment="looks right")
    for _ in range(2):
        run(close_approval, where(asked))

    (trace,) = audited(world.blobs, "vote")
    assert (trace["who"], trace["evidence"]) == ("maria@acme.example", asked.digest)
    assert trace["details"]["comment"] == "looks right"


@pytest.mark.parametrize(
    ("decisions", "what", "who"),
    [
        (["approve", "approve"], "approved", "jonas@acme.example, maria@acme.example"),
        (["reject"], "rejected", "maria@acme.example"),
        (["approve"], "expired", "drawbridge"),
    ],
)
def test_what_the_votes_came_to_is_audited_on_their_evidence(
    world: World, asked: ApprovalRequest, decisions: list[str], what: str, who: str
) -> None:
    """An approval that expired was ended by nobody in person."""
    for login, decision in zip(("maria", "jonas"), decisions, strict=False):
        vote(world, asked, login, decision)
    for _ in range(2):
        run(close_approval, where(asked))

    (trace,) = audited(world.blobs, "approved", "rejected", "expired")
    assert (trace["what"], trace["who"], trace["evidence"]) == (what, who, asked.digest)


def test_votes_on_other_evidence_do_not_open_the_door(world: World, asked: ApprovalRequest) -> None:
    """Nor do two logins of one person."""
    vote(world, asked, "maria", digest="e" * 64)
    vote(world, asked, "jonas")
    vote(world, asked, "priya", principal="jonas@acme.example")

    assert run(close_approval, where(asked))["decision"] == "expired"
