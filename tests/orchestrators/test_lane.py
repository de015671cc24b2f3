"""Waiting for one's turn, and going back by hand."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from domain.lanes import Turn
from orchestrators.lane import LOOKS_PER_GENERATION, lane
from orchestrators.rollback import rollback
from orchestrators.toggle import toggle
from tests import samples
from tests.orchestrators.stage import START, Stage
from tests.orchestrators.test_release import ENTERED

WAITS = {**ENTERED, "answer": "waits", "why": "abc1234 deploys to prod"}
ORDER = {"repository": samples.REPOSITORY, "environment": {"name": "prod"}, "turn": {}}


def test_looks_again_until_it_is_let_in() -> None:
    """Every few seconds when nobody knows how long it takes; the status says what it waits for."""
    answers = [WAITS] * (LOOKS_PER_GENERATION + 3) + [ENTERED]
    stage = Stage({"enter_lane": lambda _: answers.pop(0)})

    assert stage.play(lane, ORDER)["answer"] == "entered"
    assert (stage.now - START).total_seconds() == (LOOKS_PER_GENERATION + 3) * 5
    assert stage.generations == 2
    assert stage.statuses[0] == {"stage": "prod", "headline": "abc1234 deploys to prod"}


def test_sleeps_until_the_window_opens_but_looks_every_hour() -> None:
    """Days of waiting cost a look an hour: a newer release may have overtaken it meanwhile."""
    until = (START + timedelta(hours=30)).isoformat()
    closed = {**WAITS, "until": until}
    stage = Stage({})
    stage.activities["enter_lane"] = lambda _: ENTERED if stage.now >= START + timedelta(hours=30) else closed

    stage.play(lane, ORDER)

    assert stage.now == START + timedelta(hours=30)
    assert len(stage.payloads("enter_lane")) == 31


def test_superseded_ends_the_wait() -> None:
    """Nobody waits for a turn that never comes."""
    newer = {**ENTERED, "answer": "superseded", "by": "release-2"}
    answers = [WAITS, newer]
    stage = Stage({"enter_lane": lambda _: answers.pop(0)})

    assert stage.play(lane, ORDER)["by"] == "release-2"


# Rollback.

WANTED = {"release": samples.RELEASE, "environment": "prod", "by": "maria", "reason": "bad answers", "at": "t"}
HELD = {
    "order": {"repository": samples.REPOSITORY, "environment": {"name": "prod"}, "release": samples.RELEASE},
    "turn": asdict(Turn(samples.RELEASE, samples.SHA, 4, rollback=True)),
}


def rollback_stage(**changes: Any) -> Stage:
    """Return a stage where a rollback goes well, apart from what a test changes."""
    deployed = {"ok": True, "detail": "5 requests", "deployment": asdict(samples.deployment("prod"))}
    answers: dict[str, Any] = {
        "hold_lane": lambda _: HELD,
        "leave_lane": lambda _: None,
        "note_rollback": lambda _: {"record": {}},
        "tell_github": lambda _: {"delivered": True, "refused": ""},
        "lane": lambda _: ENTERED,
        "deployment": lambda _: deployed,
    } | changes
    children = {name: answers.pop(name) for name in ("lane", "deployment")}
    return Stage(answers, children)


def test_rollback_deploys_as_it_was_deployed_then_and_keeps_who_asked() -> None:
    """Promotion is held before anything else happens."""
    stage = rollback_stage()

    output = stage.play(rollback, WANTED, "r")

    assert output == {"ok": True, "detail": "5 requests"}
    assert [name for name, _ in stage.asked][:3] == ["hold_lane", "lane", "deployment"]
    assert stage.payloads("deployment") == [{**HELD["order"], "by": "maria", "evidence": ""}]
    (left,) = stage.payloads("leave_lane")
    assert (left["by"], left["rollback"], left["deployed"]["position"]) == ("maria", True, 4)


def test_rollback_that_does_not_hold_leaves_what_ran_before() -> None:
    """The lane keeps its occupant, and the promotion stays held: a person has to look."""
    stage = rollback_stage(deployment=lambda _: {"ok": False, "detail": "prod: not healthy"})

    assert stage.play(rollback, WANTED, "r") == {"ok": False, "detail": "prod: not healthy"}
    assert stage.payloads("leave_lane")[0]["deployed"] is None
    assert stage.payloads("note_rollback") == []


def test_rollback_that_breaks_leaves_the_lane_to_the_next_one() -> None:
    """Storage was away for too long, say: the instance shows the error, and another rollback can be tried."""

    def broken(_: Any) -> Any:
        raise RuntimeError("blob storage failed")

    stage = rollback_stage(deployment=broken)

    with pytest.raises(RuntimeError, match="blob storage failed"):
        stage.play(rollback, WANTED, "r")

    assert stage.payloads("leave_lane")[0]["deployed"] is None


def test_rollback_to_what_never_ran_there_changes_nothing() -> None:
    """It says what to do instead."""
    stage = rollback_stage(hold_lane=lambda _: {"error": "c0ffee0 never ran in prod: go back to a release that did"})

    assert stage.play(rollback, WANTED, "r")["ok"] is False
    assert [name for name, _ in stage.asked] == ["hold_lane"]


def test_toggle_waits_for_github() -> None:
    """The label is weighed when GitHub is back."""
    answers = [{"retry_after": 3600.0}, {"decision": "docs is not the opt-out label"}]
    stage = Stage({"weigh_toggle": lambda _: answers.pop(0)})

    assert stage.play(toggle, {})["decision"] == "docs is not the opt-out label"
    assert stage.now - START == timedelta(hours=1)
