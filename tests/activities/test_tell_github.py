"""Telling GitHub: each thing once, to those it is for, and never in the way of the release."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from typing import Any

import pytest

from activities.open_approval import open_approval
from activities.tell_github import tell_github
from adapters import carriers
from adapters.outbox import Drained, Outbox
from domain import approvals, timeline
from domain.branch_line import Place
from domain.config import Environment
from domain.models import ApprovalRequest, Outcome, ReleaseRecord, StageState
from domain.wire import read
from tests.activities.conftest import AT, TOKEN, World, release_of, run

APPROVERS = ("maria", "jonas", "alex")


def tell(world: World, record: ReleaseRecord, *stages: str) -> str:
    """Tell GitHub how a release stands, and return what it refused to hear."""
    told = run(tell_github, {"record": asdict(record), "stages": list(stages)})
    return str(told["refused"])


def later(record: ReleaseRecord, minutes: int = 1, **fields: Any) -> ReleaseRecord:
    """Return the release as it stands some minutes later."""
    return replace(record, updated_at=f"2026-11-23T09:{minutes:02}:00Z", **fields)


def asked_about(world: World, record: ReleaseRecord, **rules: Any) -> ApprovalRequest:
    """Ask people about an environment."""
    environment = Environment.model_validate(rules).model_dump(mode="json")
    order = {"record": asdict(record), "environment": environment, "instance": "child", "at": AT, "last": True}
    return read(ApprovalRequest, run(open_approval, order)["request"])


def waiting_for_prod(world: World, **rules: Any) -> tuple[ReleaseRecord, ApprovalRequest]:
    """Return the release as it waits for the approvers of prod, who were asked."""
    record = timeline.begin(world.record, "approve-prod", AT, "child")
    return record, asked_about(world, record, **{"name": "prod", "approvers": list(APPROVERS), "approvals": 2, **rules})


def links(text: str) -> dict[str, str]:
    """Return the approval links in a comment by their person."""
    return dict(re.findall(r"- @(\S+): \[[^\]]*\]\((\S+)\)", text))


def test_each_changed_stage_gets_one_status(world: World) -> None:
    """Telling it again adds nothing; stages that did not change are not mentioned."""
    record = timeline.begin(world.record, timeline.VALIDATE, AT)

    for _ in range(2):
        assert tell(world, record, timeline.PREPARE, timeline.VALIDATE) == ""
        world.deliver()

    assert sorted(world.statuses()) == [("drawbridge/prepare", "success"), ("drawbridge/validate", "pending")]


def test_status_follows_its_stage(world: World) -> None:
    """It leads to the release page, or to what the stage made."""
    for minute, state in enumerate((StageState.RUNNING, StageState.PASSED)):
        at = f"2026-11-23T09:0{minute}:00Z"
        tell(
            world, timeline.end(world.record, timeline.BUILD, state, at, url="http://dev.acme.example"), timeline.BUILD
        )
        world.deliver()

    assert world.statuses() == [("drawbridge/build", "pending"), ("drawbridge/build", "success")]
    newest = world.double.commit(world.repository, world.record.commit.sha)["statuses"]
    assert {one["target_url"] for one in newest} == {"http://dev.acme.example"}


def test_what_begins_and_ends_within_seconds_costs_one_write(world: World) -> None:
    """Nobody can read faster."""
    for state in (StageState.RUNNING, StageState.PASSED):
        tell(world, timeline.end(world.record, timeline.BUILD, state, AT), timeline.BUILD)

    world.deliver()
    assert world.statuses() == [("drawbridge/build", "success")]


def test_one_comment_per_change_is_updated_in_place(world: World) -> None:
    """A release of two changes that has ended has two comments, however often it is told."""
    record = release_of(world.repository, {**world.double.pull(world.repository, 1)}, world.merge("jonas"))

    for minute, reason in enumerate(("first", "second")):
        tell(world, later(record, minute, outcome=Outcome.FAILED, reason=reason))

    for number in (1, 2):
        (comment,) = world.comments(number)
        assert "second" in comment
        assert "first" not in comment
        assert "**Minimal evaluation: passed** – 30 of 30 rows scored" in comment
        assert f"https://drawbridge.acme.example/api/releases/{record.id}" in comment


@pytest.mark.parametrize("outcome", [Outcome.RUNNING, Outcome.FAILED])
def test_change_that_a_newer_release_carries_has_that_ones_comment(world: World, outcome: Outcome) -> None:
    """What the older one says stands on its commit."""
    number = world.record.changes[0].number
    older = replace(world.record, id="release-older", outcome=outcome)
    carriers.take(world.blobs, world.repository, [number], world.record.id, Place("c" * 40, 7), lambda _: False)
    carriers.take(world.blobs, world.repository, [number], older.id, Place("b" * 40, 6), lambda _: True)
    for record in (world.record, later(older)):
        tell(world, record, timeline.PREPARE)
        world.deliver()

    (comment,) = world.comments(number)
    assert world.record.id in comment
    (on_commit,) = world.double.commit(world.repository, older.commit.sha)["commit_comments"]
    assert older.id in on_commit["body"]


def test_direct_push_is_told_on_the_commit(world: World) -> None:
    """There is no change to comment on."""
    record = replace(world.record, changes=())

    for _ in range(2):
        tell(world, record, timeline.PREPARE)
        world.deliver()

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
    tell(world, record, "approve-prod")

    tell(world, timeline.end(record, "approve-prod", state, "2026-11-23T09:01:00Z"), "approve-prod")
    world.deliver()

    (comment,) = world.comments(1)
    assert "/api/approvals/" not in comment


def test_question_that_is_not_stored_yet_has_no_links(world: World) -> None:
    """The rest is told all the same."""
    record = timeline.begin(world.record, "approve-prod", AT, "child")

    assert tell(world, record, "approve-prod") == ""
    assert links(world.comments(1)[0]) == {}


def test_github_being_away_delays_the_news_and_nothing_else(world: World) -> None:
    """The release goes on, and GitHub hears how it stands once it is back."""
    record, _ = waiting_for_prod(world)
    world.double.fault(status=503, times=100)

    assert tell(world, record, timeline.PREPARE, "approve-prod") == ""
    assert world.deliver() == Drained()

    world.double.clear_faults()
    world.deliver()
    assert world.deliver() == Drained()
    assert sorted(world.statuses()) == [("drawbridge/approve-prod", "pending"), ("drawbridge/prepare", "success")]
    assert set(links(world.comments(1)[0])) == set(APPROVERS)


def test_fault_in_the_delivery_is_not_the_releases(world: World, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """The links are kept, and arrive with the timer."""
    record, _ = waiting_for_prod(world)
    with monkeypatch.context() as broken:
        broken.setattr(Outbox, "drain", lambda *_: 1 / 0)
        assert tell(world, record, "approve-prod") == ""

    assert "could not be delivered at once" in caplog.text
    world.deliver()
    assert set(links(world.comments(1)[0])) == set(APPROVERS)


def test_reply_that_is_lost_after_the_effect_leaves_one_of_each(world: World) -> None:
    """The message is repeated until it is known to have arrived, and stands there once."""
    for path in ("/statuses/", "/comments"):
        world.double.fault(method="POST", path_regex=path, status=503, after_effect=True)
    tell(world, world.record, timeline.PREPARE)

    for _ in range(4):
        world.deliver()

    assert world.statuses() == [("drawbridge/prepare", "success")]
    assert len(world.comments(1)) == 1


def test_refusal_does_not_stop_the_release_nor_the_rest_of_the_news(world: World, caplog: Any) -> None:
    """Approvers get their links although the token may not set statuses; what was refused stands in the log."""
    record, _ = waiting_for_prod(world)
    message = "Resource not accessible by integration"
    world.double.fault(method="POST", path_regex="/statuses/", status=403, message=message, times=100)

    refused = tell(world, record, timeline.PREPARE, "approve-prod")

    assert "GitHub refused a message about this release" in refused
    assert message in refused
    assert set(links(world.comments(1)[0])) == set(APPROVERS)
    assert world.statuses() == []
    refusals = [entry for entry in caplog.records if "GitHub refused the status" in entry.getMessage()]
    assert len(refusals) == 2
    assert "give the token or App the permission" in refusals[0].getMessage()


def test_locked_change_does_not_keep_the_news_from_the_others(world: World) -> None:
    """One comment is refused, the other is written."""
    record = release_of(world.repository, {**world.double.pull(world.repository, 1)}, world.merge("jonas"))
    world.double.fault(method="POST", path_regex="/issues/1/comments", status=403, message="locked", times=100)

    assert "locked" in tell(world, replace(record, outcome=Outcome.RELEASED))

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
    world.deliver()

    seals = [approvals.link_token(asked, number, world.settings.link_secret)[-40:] for number in range(len(APPROVERS))]
    for secret in (TOKEN, world.settings.link_secret, *asked.nonces, *seals):
        assert secret not in caplog.text


def test_comment_of_somebody_else_is_left_alone(world: World) -> None:
    """Even when it quotes ours, marker and all."""
    tell(world, later(world.record, 0, outcome=Outcome.FAILED))
    (ours,) = world.comments(1)
    world.double.comment(world.repository, 1, ours, by="eve")

    tell(world, later(world.record, 1, outcome=Outcome.FAILED, reason="later"))

    first, quoted = world.comments(1)
    assert "later" in first
    assert quoted == ours


def test_question_to_those_who_may_override_leads_to_their_own_page(world: World) -> None:
    """It is no approval."""
    record = timeline.begin(timeline.add_stage(world.record, "override", timeline.FULL), "override", AT, "child")
    asked = asked_about(world, record, name="override", approvers=["maria"])

    tell(world, record, "override")

    ((person, url),) = links(world.comments(1)[0]).items()
    assert person == "maria"
    assert url.startswith("https://drawbridge.acme.example/api/overrides/")
    assert (
        approvals.check_link(approvals.read_link(url.rpartition("/")[2]), asked, world.settings.link_secret) == "maria"
    )
