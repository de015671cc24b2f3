"""What GitHub hears of a release: each thing where it belongs, and no more than people want to read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain import timeline
from domain.models import Outcome, ReleaseRecord, StageState
from domain.outbox import Comment, Message, Status
from domain.release_news import CHANGE, followed, news
from tests import samples

SITE = "https://drawbridge.acme.example/api"
PAGE = f"{SITE}/releases/{samples.RELEASE}"
AT = "2026-11-23T09:10:00Z"


def of_changes(count: int) -> ReleaseRecord:
    """Return a release of as many changes, prepared."""
    known = samples.origin().changes[0]
    changes = tuple(replace(known, number=number) for number in range(1, count + 1))
    return timeline.end(samples.record(changes=changes), timeline.PREPARE, StageState.PASSED, AT)


def places(messages: tuple[Message, ...]) -> list[int | None]:
    """Return the changes that are commented on."""
    return [one.change for one in messages if isinstance(one, Comment)]


def statuses(messages: tuple[Message, ...]) -> dict[str, str]:
    """Return the state of each stage that is marked on the commit."""
    return {one.context: one.state for one in messages if isinstance(one, Status)}


def test_changed_stages_are_marked_and_deployments_are_not() -> None:
    """GitHub shows those as deployments."""
    record = timeline.begin(of_changes(1), timeline.VALIDATE, AT)

    told = news(record, ["prepare", "validate", "deploy-dev"], SITE, {})

    assert statuses(told) == {"drawbridge/prepare": "passed", "drawbridge/validate": "running"}
    assert {one.at for one in told} == {AT}
    assert not any(one.urgent for one in told)


def test_status_leads_to_its_details_and_belongs_to_its_release() -> None:
    """Where a stage has a page of its own, there; else to the release's."""
    record = timeline.end(of_changes(1), timeline.MINIMAL, StageState.PASSED, AT, "f1 0.61", "https://report")
    record = timeline.add_evaluation(record, samples.summary())

    prepare, minimal = (one for one in news(record, ["prepare", timeline.MINIMAL], SITE, {}) if isinstance(one, Status))

    assert (prepare.url, minimal.url) == (PAGE, "https://report")
    assert {prepare.external_id, minimal.external_id} == {samples.RELEASE}
    assert minimal.description == "passed: f1 0.61"
    assert "| f1 | 0.610 | 0.550 to 0.670 |" in minimal.summary
    assert "| f1 |" not in prepare.summary


@pytest.mark.parametrize("stage", ["approve-prod", "override"])
def test_question_to_people_waits_and_is_urgent(stage: str) -> None:
    """Nobody can answer before GitHub has the links."""
    record = timeline.add_stage(of_changes(1), "override", timeline.FULL)
    told = news(timeline.begin(record, stage, AT, detail="needs 1 of 2"), [stage], SITE, {})

    assert statuses(told) == {f"drawbridge/{stage}": "waiting"}
    assert all(one.urgent for one in told)


def test_skipped_evaluation_says_by_whom_and_can_be_asked_for() -> None:
    """It is not called passed anywhere."""
    why = "skipped by @alex because it is a typo"
    record = timeline.end(of_changes(1), timeline.FULL, StageState.SKIPPED, AT, why)

    (status,) = (one for one in news(record, [timeline.FULL], SITE, {}) if isinstance(one, Status))

    assert (status.state, status.description) == ("skipped", why)
    assert [(one.identifier, one.label) for one in status.buttons] == [("evaluate-full", "Evaluate fully")]
    assert "comment `/evaluate full` on the change" in status.summary


def test_evaluation_that_ran_has_no_button() -> None:
    """There is nothing to ask for."""
    record = timeline.end(of_changes(1), timeline.FULL, StageState.PASSED, AT)

    assert all(not one.buttons for one in news(record, [timeline.FULL], SITE, {}) if isinstance(one, Status))


def test_first_change_follows_the_release() -> None:
    """The others are not told that something begins."""
    record = timeline.begin(of_changes(5), timeline.VALIDATE, AT)

    assert places(news(record, [timeline.VALIDATE], SITE, {})) == [1]


def test_three_changes_hear_what_people_are_asked() -> None:
    """What they answered is news for the first one, and for all when it is the end."""
    record = timeline.begin(of_changes(5), "approve-prod", AT)
    assert places(news(record, ["approve-prod"], SITE, {})) == [1, 2, 3]

    record = timeline.end(record, "approve-prod", StageState.PASSED, AT)
    assert places(news(record, ["approve-prod"], SITE, {})) == [1]
    assert followed(record) == [1, 2, 3]


@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.RUNNING])
def test_every_change_hears_the_end_at_once(outcome: Outcome) -> None:
    """However many there are, and however it ended."""
    told = news(timeline.close(of_changes(5), outcome, "because", AT), [], SITE, {})

    assert places(told) == [1, 2, 3, 4, 5]
    assert all(one.urgent for one in told)
    assert all("because" in one.body for one in told if isinstance(one, Comment))


def test_nothing_is_said_on_the_commit_before_its_changes_are_known() -> None:
    """It would stand there for ever, saying that the release is being prepared."""
    opened = timeline.open_record(samples.RELEASE, samples.request(), AT)

    assert places(news(opened, ["prepare"], SITE, {})) == []
    assert statuses(news(opened, ["prepare"], SITE, {})) == {"drawbridge/prepare": "running"}


def test_release_that_failed_before_its_changes_were_known_is_told_on_the_commit() -> None:
    """Nobody would hear of it otherwise."""
    opened = timeline.open_record(samples.RELEASE, samples.request(), AT)
    failed = timeline.end(opened, timeline.PREPARE, StageState.FAILED, AT, "no config")

    assert places(news(timeline.close(failed, Outcome.FAILED, "no config", AT), ["prepare"], SITE, {})) == [None]


def test_direct_push_is_told_on_the_commit() -> None:
    """It has no change."""
    record = timeline.begin(replace(of_changes(1), changes=()), timeline.VALIDATE, AT)

    assert places(news(record, [timeline.VALIDATE], SITE, {})) == [None]
    assert followed(record) == [None]


def test_comment_is_one_for_the_release_and_leads_to_the_rest() -> None:
    """A report may be longer than GitHub takes; the links stand in it."""
    record = timeline.begin(of_changes(1), "approve-prod", AT)

    (comment,) = (
        one
        for one in news(record, ["approve-prod"], SITE, {"prod": {"maria": "https://link"}})
        if isinstance(one, Comment)
    )

    assert (comment.marker, comment.link) == (CHANGE, PAGE)
    assert "https://link" in comment.body
