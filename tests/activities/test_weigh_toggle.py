"""An opt-out label that comes after the merge and before the full evaluation begins."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from activities.weigh_toggle import weigh_toggle
from adapters import records
from domain import timeline
from domain.git_flow import ToggleOptOut
from domain.models import OptOut, Outcome, ReleaseRecord, Verdict
from tests import samples
from tests.activities.conftest import AT, World, run
from tests.activities.test_find_origin import BODY, LABEL, audited, cancelled, find, toggle

CONFIG = samples.CONFIG


def unknown(_: ReleaseRecord) -> None:
    """Find_origin has kept which changes it carries, and the release itself not yet."""


def opened(known: ReleaseRecord) -> ReleaseRecord:
    """Not even the changes are in the record."""
    return timeline.open_record("release-x", samples.request(), AT)


def planned(known: ReleaseRecord) -> ReleaseRecord:
    """The minimal evaluation has not come to a verdict."""
    return timeline.plan_stages(replace(known, evaluations=()), samples.CONFIG)


def judged(known: ReleaseRecord) -> ReleaseRecord:
    """The minimal evaluation has passed, the full one is about to begin."""
    return timeline.plan_stages(known, samples.CONFIG)


@pytest.mark.parametrize("so_far", [unknown, opened, planned, judged])
def test_label_put_on_before_the_evaluation_begins_stops_it(world: World, so_far: Any) -> None:
    """Whatever the release's record tells by then: otherwise it would run although everybody opts out."""
    number, _ = known_so_far(world, so_far)

    assert toggle(world, number, on=True) == f"the full evaluation is stopped: #{number} opted out"
    assert cancelled(world)
    assert ("toggle", "eve", "release-x") in audited(world)


def inconclusive(known: ReleaseRecord) -> ReleaseRecord:
    """The minimal evaluation has not passed."""
    return timeline.plan_stages(replace(known, evaluations=(samples.summary("minimal", Verdict.INCONCLUSIVE),)), CONFIG)


def alone(known: ReleaseRecord) -> ReleaseRecord:
    """Production is the only environment."""
    return timeline.plan_stages(known, CONFIG.model_copy(update={"environments": CONFIG.environments[-1:]}))


def over(known: ReleaseRecord) -> ReleaseRecord:
    """It has failed."""
    return timeline.close(judged(known), Outcome.FAILED, "x", AT)


@pytest.mark.parametrize(("so_far", "words"), [(inconclusive, "goes on"), (alone, "goes on"), (over, "no full")])
def test_label_that_has_no_ground_stops_nothing_in_advance(world: World, so_far: Any, words: str) -> None:
    """As one at the merge would not have."""
    number, _ = known_so_far(world, so_far)

    assert words in toggle(world, number, on=True)
    assert not cancelled(world)


def test_label_that_the_release_counts_on_already_marks_nothing(world: World) -> None:
    """It will skip the evaluation by itself; a mark would stop the one that runs when the label goes."""
    number, record = known_so_far(world, judged)
    opt_out = OptOut(LABEL, number, "sam", AT, "x")
    records.save_record(world.blobs, replace(record, opt_outs=(opt_out,)))

    assert "no full evaluation runs" in toggle(world, number, on=True)
    assert not cancelled(world)


def known_so_far(world: World, so_far: Any) -> tuple[int, ReleaseRecord]:
    """Merge a change that could opt out, and let its release come this far."""
    world.double.push(world.repository, "alex/9-y", {"docs/x.md": "y"}, author="alex")
    number = world.double.open_pull_request(world.repository, "alex/9-y", "Guide", BODY, author="alex")["number"]
    find(world, world.double.merge(world.repository, number, by="maria")["merge_commit_sha"])
    change = replace(world.record.changes[0], number=number)
    known = replace(world.record, id="release-x", changes=(change,), stages=world.record.stages[:1])
    record = so_far(known)
    if record:
        records.save_record(world.blobs, record)
    return number, record


def given_up(world: World, number: int, label: str = LABEL) -> str:
    """Weigh a toggle for the last time."""
    toggle = asdict(ToggleOptOut(world.repository, number, label, True, "eve", AT, "k"))
    return str(run(weigh_toggle, {**toggle, "last": True})["decision"])


def test_toggle_that_nobody_could_weigh_is_audited_and_told(world: World) -> None:
    """GitHub was away for too long: whoever moved the label hears that it counts for nothing."""
    number, _ = known_so_far(world, judged)

    decision = given_up(world, number)
    world.deliver()

    assert decision.startswith(
        "That the opt-out label was put on after the merge changes nothing: GitHub did not answer"
    )
    assert [decision in comment for comment in world.comments(number)] == [True]
    assert audited(world) == [("toggle", "eve", "release-x")]


def test_other_label_that_nobody_could_look_at_is_no_news(world: World) -> None:
    """It would have changed nothing."""
    number, _ = known_so_far(world, judged)

    assert given_up(world, number, "docs") == "docs is not the opt-out label"
    assert audited(world) == []


def test_toggle_on_a_change_that_no_release_carries_in_the_end_is_audited(world: World) -> None:
    """It was merged before this app was there."""
    assert given_up(world, 1) == "no release carries change #1"
    assert audited(world) == [("toggle", "eve", f"{world.repository}#1")]
