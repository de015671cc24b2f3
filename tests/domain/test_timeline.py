"""The release record as it moves on."""

from __future__ import annotations

from dataclasses import replace

from domain import timeline
from domain.config import Config
from domain.models import Outcome, StageState
from tests import samples

AT = "2026-11-23T09:00:00Z"


def test_stages_stand_in_the_order_people_read_them() -> None:
    """An environment with approvers has its approval before its deployment."""
    assert [stage.name for stage in samples.record().stages] == [
        "prepare",
        "validate",
        "evaluate-minimal",
        "build",
        "deploy-dev",
        "evaluate-full",
        "approve-nonprod",
        "deploy-nonprod",
        "approve-prod",
        "deploy-prod",
    ]


def test_environment_without_approvers_is_deployed_without_a_question() -> None:
    """Only the one with approvers is asked about."""
    wire = samples.wire_config()
    wire["environments"] = [{"name": "a"}, {"name": "b"}, {"name": "c", "approvers": ["x"]}]
    opened = timeline.open_record(samples.RELEASE, samples.request(), AT)

    names = [stage.name for stage in timeline.plan_stages(opened, Config.model_validate(wire)).stages]

    assert names[4:] == ["deploy-a", "evaluate-full", "deploy-b", "approve-c", "deploy-c"]


def test_everybody_who_wrote_something_is_an_author() -> None:
    """The change's author, the commits' authors, and without a change whoever pushed."""
    opened = timeline.open_record(samples.RELEASE, samples.request(pusher="mallory"), AT)
    origin = samples.origin(authors=("Sam", "kim"))

    assert timeline.know_origin(opened, origin).authors == ("alex", "kim", "Sam")
    assert timeline.know_origin(opened, replace(origin, changes=())).authors == ("alex", "kim", "mallory", "Sam")


def test_close_leaves_no_stage_running_or_waiting() -> None:
    """What ended keeps its state; what never began has no time of its own."""
    running = timeline.begin(timeline.end(samples.record(), "validate", StageState.PASSED, AT), "build", AT)

    closed = timeline.close(running, Outcome.FAILED, "because", "2026-11-23T10:00:00Z")

    states = {stage.name: (stage.state, stage.ended_at) for stage in closed.stages}
    assert states["validate"] == (StageState.PASSED, AT)
    assert states["build"] == (StageState.CANCELLED, "2026-11-23T10:00:00Z")
    assert states["deploy-prod"] == (StageState.CANCELLED, None)


def test_second_evaluation_of_a_kind_replaces_the_first() -> None:
    """The record has one result per kind."""
    twice = timeline.add_evaluation(
        timeline.add_evaluation(samples.record(), samples.summary(tokens=1)), samples.summary(tokens=2)
    )

    assert [summary.tokens for summary in twice.evaluations] == [2]


def test_note_is_kept_once() -> None:
    """Saying it again adds nothing."""
    assert timeline.note(timeline.note(samples.record(), "x"), "x").notes == ("x",)
