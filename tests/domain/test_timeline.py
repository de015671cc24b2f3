"""The release record as it moves on."""

from __future__ import annotations

from domain import timeline
from domain.config import Config
from domain.models import Outcome, ReleaseRecord, StageState
from tests import samples

AT = "2026-11-23T09:00:00Z"


def record(config: Config = samples.CONFIG) -> ReleaseRecord:
    """Return a release that has just been laid out."""
    opened = timeline.open_record(samples.RELEASE, samples.request(), samples.origin(), AT)
    return timeline.plan_stages(opened, config)


def test_stages_stand_in_the_order_people_read_them() -> None:
    """An environment with approvers has its approval before its deployment."""
    assert [stage.name for stage in record().stages] == [
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
    """Also the first one gets a question when it has approvers."""
    wire = samples.wire_config()
    wire["environments"] = [{"name": "a", "approvers": ["x"]}, {"name": "b"}]

    names = [stage.name for stage in record(Config.model_validate(wire)).stages]

    assert names[3:] == ["build", "approve-a", "deploy-a", "evaluate-full", "deploy-b"]


def test_close_leaves_no_stage_running_or_waiting() -> None:
    """What ended keeps its state; what never began has no time of its own."""
    running = timeline.begin(timeline.end(record(), "validate", StageState.PASSED, AT), "build", AT)

    closed = timeline.close(running, Outcome.FAILED, "because", "2026-11-23T10:00:00Z")

    states = {stage.name: (stage.state, stage.ended_at) for stage in closed.stages}
    assert states["validate"] == (StageState.PASSED, AT)
    assert states["build"] == (StageState.CANCELLED, "2026-11-23T10:00:00Z")
    assert states["deploy-prod"] == (StageState.CANCELLED, None)


def test_second_evaluation_of_a_kind_replaces_the_first() -> None:
    """The record has one result per kind."""
    twice = timeline.add_evaluation(
        timeline.add_evaluation(record(), samples.summary(tokens=1)), samples.summary(tokens=2)
    )

    assert [summary.tokens for summary in twice.evaluations] == [2]


def test_note_is_kept_once() -> None:
    """Saying it again adds nothing."""
    assert timeline.note(timeline.note(record(), "x"), "x").notes == ("x",)
