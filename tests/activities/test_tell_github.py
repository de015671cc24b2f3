"""Telling GitHub: each thing once, to those it is for, and never in the way of the release."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import Any

import pytest

from activities import open_approval as opening
from activities.tell_github import tell_github
from domain import approvals, timeline
from domain.config import Environment
from domain.models import ApprovalRequest, ReleaseRecord, StageState
from tests.activities.conftest import AT, TOKEN, World, release_of, run

APPROVERS = ("maria", "jonas", "alex")
DELIVERED = {"delivered": True, "refused": ""}


def tell(world: World, record: ReleaseRecord, *stages: str) -> dict[str, Any]:
    """Tell GitHub how a release stands."""
    told: dict[str, Any] = run(tell_github, {"record": asdict(record), "stages": list(stages)})
    return told


def waiting_for_prod(world: World, **rules: Any) -> tuple[ReleaseRecord, ApprovalRequest]:
    """Return the release as it waits for the approvers of prod, who were asked."""
    record = timeline.begin(world.record, "approve-prod", AT, "child")
    environment = Environment.model_validate({"name": "prod", "approvers": list(APPROVERS), "approvals": 2, **rules})
    excluded = record.authors if environment.prevent_self_approval else ()
    return record, opening.ask(record, environment, excluded, "child", AT, world.blobs)


def links(text: str) -> dict[str, str]:
    """Return the approval links in a comment by their person."""
    return dict(re.findall(r"- @(\S+): \[[^\]]*\]\((\S+)\)", text))


def test_each_changed_stage_gets_one_status(world: World) -> None:
    """Telling it again adds nothing; stages that did not change are not mentioned."""
    record = timeline.begin(world.record, timeline.VALIDATE, AT)

    for _ in range(2):
        assert tell(world, record, timeline.PREPARE, timeline.VALIDATE) == DELIVERED

    assert world.statuses() == [("drawbridge/prepare", "success"), ("drawbridge/validate", "pending")]


def test_status_follows_its_stage(world: World) -> None:
    """It leads to the release page, or to what the stage made."""
    for state in (StageState.RUNNING, StageState.PASSED):
        record = timeline.end(world.record, "deploy-dev", state, AT, url="http://dev.acme.example")
        tell(world, record, "deploy-dev")

    assert world.statuses() == [("drawbridge/deploy-dev", "pending"), ("drawbridge/deploy-dev", "success")]
    newest = world.double.commit(world.repository, record.commit.sha)["statuses"]
    assert {one["target_url"] for one in newest} == {"http://dev.acme.example"}


def test_one_comment_per_change_is_updated_in_place(world: World) -> None:
    """A release of two changes has two comments, however often it is told."""
    record = release_of(world.repository, {**world.double.pull(world.repository, 1)}, world.merge("jonas"))

    for reason in ("first", "second"):
        tell(world, replace(record, reason=reason))

    for number in (1, 2):
        (comment,) = world.comments(number)
        assert "second" in comment
        assert "first" not in comment
        assert "**Minimal evaluation: passed** – 30 of 30 rows scored" in comment
        assert f"https://drawbridge.acme.example/api/releases/{record.id}" in comment


def test_direct_push_is_told_on_the_commit(world: World) -> None:
    """There is no change to comment on."""
    record = replace(world.record, changes=())

    for _ in range(2):
        tell(world, record, timeline.PREPARE)

    commit = world.double.commit(world.repository, record.commit.sha)
    (comment,) = commit["commit_comments"]
    assert f"`{record.commit.sha[:7]}`" in comment["body"]
    assert world.comments(1) == []


def test_each_approver_gets_a_link_of_their_own(world: World) -> None:
    """The links in the comment are the ones that open the question."""
    record, asked = waiting_for_prod(world)

    tell(world, record, "approve-prod")

    found = links(world.comments(1)[0])
    assert set(found) == set(APPROVERS)
    for person, url in found.items():
        link = approvals.read_link(url.rpartition("/")[2])
        assert approvals.check_link(link, asked, world.settings.link_secret) == person
        assert url.startswith("https://drawbridge.acme.example/api/approvals/")


def test_author_who_may_not_vote_gets_no_link(world: World) -> None:
    """Where self-approval is barred."""
    record, _ = waiting_for_prod(world, prevent_self_approval=True)

    tell(world, record, "approve-prod")

    assert set(links(world.comments(1)[0])) == {"maria", "jonas"}


@pytest.mark.parametrize("state", [StageState.WAITING, StageState.PASSED, StageState.REJECTED, StageState.EXPIRED])
def test_links_stand_there_only_while_somebody_waits(world: World, state: StageState) -> None:
    """A link that decides nothing any more is not offered."""
    record, _ = waiting_for_prod(world)
    tell(world, record)

    tell(world, timeline.end(record, "approve-prod", state, AT))

    (comment,) = world.comments(1)
    assert "/api/approvals/" not in comment


def test_question_that_is_not_stored_yet_has_no_links(world: World) -> None:
    """The rest is told all the same."""
    record = timeline.begin(world.record, "approve-prod", AT, "child")

    assert tell(world, record, "approve-prod") == DELIVERED
    assert links(world.comments(1)[0]) == {}


def test_github_being_away_is_an_answer(world: World, caplog: Any) -> None:
    """The release goes on, and the next message says it all."""
    world.double.fault(status=503, retry_after=600, times=100)

    assert tell(world, world.record, timeline.PREPARE) == {"delivered": False}
    assert "it is told again later" in caplog.text

    world.double.clear_faults()
    assert tell(world, world.record, timeline.PREPARE) == DELIVERED
    assert world.statuses() == [("drawbridge/prepare", "success")]
    assert len(world.comments(1)) == 1


def test_reply_that_is_lost_after_the_effect_leaves_one_of_each(world: World) -> None:
    """The message is repeated until it is known to have arrived, and stands there once."""
    for path in ("/statuses/", "/comments"):
        world.double.fault(method="POST", path_regex=path, status=503, retry_after=600, after_effect=True)

    answers = [tell(world, world.record, timeline.PREPARE)["delivered"] for _ in range(3)]

    assert answers == [False, False, True]
    assert world.statuses() == [("drawbridge/prepare", "success")]
    assert len(world.comments(1)) == 1


def test_refusal_does_not_stop_the_release_nor_the_rest_of_the_news(world: World, caplog: Any) -> None:
    """Approvers get their links although the token may not set statuses; what was refused stands in the log."""
    record, _ = waiting_for_prod(world)
    message = "Resource not accessible by integration"
    world.double.fault(method="POST", path_regex="/statuses/", status=403, message=message, times=100)

    told = tell(world, record, timeline.PREPARE, "approve-prod")

    assert told["delivered"]
    assert message in told["refused"]
    assert set(links(world.comments(1)[0])) == set(APPROVERS)
    assert world.statuses() == []
    refusals = [entry for entry in caplog.records if "GitHub refused the news" in entry.getMessage()]
    assert len(refusals) == 2
    assert "give the token or App the permission" in refusals[0].getMessage()


def test_locked_change_does_not_keep_the_news_from_the_others(world: World) -> None:
    """One comment is refused, the other is written."""
    record = release_of(world.repository, {**world.double.pull(world.repository, 1)}, world.merge("jonas"))
    world.double.fault(method="POST", path_regex="/issues/1/comments", status=403, message="locked", times=100)

    told = tell(world, record)

    assert told["delivered"]
    assert "locked" in told["refused"]
    assert (len(world.comments(1)), len(world.comments(2))) == (0, 1)


def test_log_holds_no_link_and_no_token(world: World, caplog: Any) -> None:
    """Neither when it works nor when GitHub refuses or is away."""
    caplog.set_level("DEBUG")
    record, asked = waiting_for_prod(world)
    tell(world, record, "approve-prod")
    world.double.fault(method="POST", path_regex="/statuses/", status=403, times=1)
    tell(world, record, timeline.PREPARE)
    world.double.fault(status=503, retry_after=600, times=100)
    tell(world, record, timeline.PREPARE)

    seals = [approvals.link_token(asked, number, world.settings.link_secret)[-40:] for number in range(len(APPROVERS))]
    for secret in (TOKEN, world.settings.link_secret, *asked.nonces, *seals):
        assert secret not in caplog.text


def test_comment_of_somebody_else_is_left_alone(world: World) -> None:
    """Even when it quotes ours, marker and all."""
    tell(world, world.record)
    (ours,) = world.comments(1)
    world.double.comment(world.repository, 1, ours, by="eve")

    tell(world, replace(world.record, reason="later"))

    first, quoted = world.comments(1)
    assert "later" in first
    assert quoted == ours
