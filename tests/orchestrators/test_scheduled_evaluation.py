"""An evaluation outside of releases, told with fake effects."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from domain.models import Debt, EvaluationRequest, Verdict
from orchestrators.scheduled_evaluation import scheduled_evaluation
from tests import samples
from tests.orchestrators.stage import START, Stage

REQUEST = EvaluationRequest(samples.REPOSITORY, samples.SHA, "minimal", "continuous", asked_by="", key="push")
NAME = f"continuous-acme.helpdesk-{samples.SHA}-minimal-push"


def stage_with(**changes: Any) -> Stage:
    """Return a stage where everything goes well, apart from what a test changes."""
    activities: dict[str, Any] = {
        "fetch_snapshot": lambda _: {"snapshot": {"sha256": "5" * 64, "size": 10}},
        "read_config": lambda _: {"config": samples.wire_config()},
        "tell_evaluation": lambda _: None,
        "list_debts": lambda _: {"debts": []},
        "take_debt": lambda taking: {"debt": taking["debt"]},
        "settle_debt": lambda settling: {"debt": {**settling["debt"], "state": settling["state"]}},
        "tell_payment": lambda _: None,
    }
    children = {"evaluation": lambda order: {"summary": asdict(samples.summary(order["kind"], id=order["id"]))}}
    for name, answer in changes.items():
        (activities if name in activities else children)[name] = answer
    return Stage(activities, children, pace=timedelta(seconds=1))


def play(stage: Stage, **fields: Any) -> Any:
    return stage.play(scheduled_evaluation, {**asdict(REQUEST), **fields}, NAME)


def on_demand_config() -> dict[str, Any]:
    return {**samples.wire_config(), "schedule": {"mode": "on-demand"}}


def test_push_to_develop_is_evaluated_and_told() -> None:
    """First that it runs, then what it came to; under the name that makes two requests one."""
    stage = stage_with()

    output = play(stage)

    assert output == {"state": "passed", "reason": ""}
    (order,) = stage.payloads("evaluation")
    assert (order["id"], order["kind"], order["plan"], order["commit"]) == (NAME, "minimal", "minimal", samples.SHA)
    told = stage.payloads("tell_evaluation")
    assert [news["state"] for news in told] == ["running", "passed"]
    assert told[1]["summary"]["id"] == NAME
    assert told[0]["at"] < told[1]["at"]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_verdict_is_told_as_it_is(verdict: Verdict) -> None:
    """Failed and inconclusive ones too."""
    stage = stage_with(evaluation=lambda order: {"summary": asdict(samples.summary(order["kind"], verdict))})

    assert play(stage)["state"] == verdict
    assert stage.payloads("tell_evaluation")[-1]["state"] == verdict


def test_push_is_not_evaluated_when_the_repository_does_not_want_it() -> None:
    """It ends quietly, saying why in its output and its status only."""
    stage = stage_with(read_config=lambda _: {"config": on_demand_config()})

    output = play(stage)

    assert output == {
        "state": "off",
        "reason": "A push starts no evaluation here: drawbridge.yaml says schedule: on-demand.",
    }
    assert stage.payloads("tell_evaluation") == stage.payloads("evaluation") == []
    assert stage.statuses[-1]["headline"] == output["reason"]


def owes(sha: str = samples.SHA) -> dict[str, Any]:
    """Return the debt of a commit's release."""
    return asdict(Debt(samples.REPOSITORY, f"release-{sha[:3]}", sha, (), "the full evaluation", "", ""))


@pytest.mark.parametrize(
    ("verdict", "state"),
    [(Verdict.PASSED, "paid"), (Verdict.FAILED, "failed"), (Verdict.INCONCLUSIVE, "failed")],
)
def test_full_evaluation_pays_what_its_commit_owes(verdict: Verdict, state: str) -> None:
    """Whoever asked for it, before a night does; what other commits owe stays."""
    stage = stage_with(
        list_debts=lambda _: {"debts": [owes("f" * 40), owes()]},
        evaluation=lambda order: {"summary": asdict(samples.summary(order["kind"], verdict, id=order["id"]))},
    )

    play(stage, kind="full", source="on-demand", asked_by="maria")

    (settled,) = stage.payloads("settle_debt")
    assert (settled["debt"]["commit"], settled["state"], settled["by"]) == (samples.SHA, state, NAME)
    assert settled["evaluation"] == stage.payloads("evaluation")[0]["id"]
    (told,) = stage.payloads("tell_payment")
    assert (told["payment"]["state"], told["began"]) == (state, "")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("minimal", {}),
        ("full", {"evaluation": lambda _: {"error": "no compute"}}),
        ("full", {"evaluation": lambda _: {"cancelled": True}}),
        ("full", {"take_debt": lambda _: {"debt": None}}),
    ],
    ids=["a few rows", "no verdict", "cancelled", "somebody else pays"],
)
def test_debt_is_left_to_who_can_pay_it(kind: str, changes: dict[str, Any]) -> None:
    """Nothing is settled by what says nothing of all rows, nor behind the back of who pays already."""
    stage = stage_with(**{"list_debts": lambda _: {"debts": [owes()]}, **changes})

    play(stage, kind=kind, source="on-demand", asked_by="maria")

    assert stage.payloads("settle_debt") == stage.payloads("tell_payment") == []


def test_who_asks_gets_an_evaluation_whatever_the_mode() -> None:
    """The mode is about pushes."""
    stage = stage_with(read_config=lambda _: {"config": on_demand_config()})

    assert play(stage, source="on-demand", asked_by="maria", change=7)["state"] == "passed"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"fetch_snapshot": lambda _: {"error": "GitHub has no such thing."}}, "GitHub has no such thing."),
        ({"read_config": lambda _: {"error": "drawbridge.yaml:3: unknown key"}}, "drawbridge.yaml:3: unknown key"),
        ({"evaluation": lambda _: {"error": "data/minimal.jsonl:3: not JSON"}}, "data/minimal.jsonl:3: not JSON"),
    ],
)
def test_what_cannot_be_evaluated_is_told(changes: dict[str, Any], reason: str) -> None:
    """A deleted branch or repository, a broken config, a broken dataset."""
    stage = stage_with(**changes)

    assert play(stage) == {"state": "error", "reason": reason}
    assert stage.payloads("tell_evaluation")[-1]["reason"] == reason


def test_kind_that_is_not_there_is_told() -> None:
    """Nothing is fetched for it."""
    stage = stage_with()

    assert play(stage, kind="nightly")["reason"] == "there is no evaluation 'nightly': ask for minimal or full"
    assert stage.payloads("fetch_snapshot") == []


def test_outage_of_github_is_waited_for() -> None:
    """As long as GitHub says, or longer with each try."""
    answers = [{"retry_after": 120.0}, {"retry_after": 1.0}, {"snapshot": {"sha256": "5" * 64, "size": 1}}]
    stage = stage_with(fetch_snapshot=lambda _: answers.pop(0))

    assert play(stage)["state"] == "passed"
    first, second = (timer.fire_at for timer in stage.timers)
    assert timedelta(seconds=120) <= first - START < timedelta(seconds=125)
    assert timedelta(seconds=30) <= second - first < timedelta(seconds=35)


def test_outage_of_many_hours_ends_it() -> None:
    """Nobody waits for ever for an evaluation that somebody can ask for again."""
    stage = stage_with(fetch_snapshot=lambda _: {"retry_after": 60.0})

    assert play(stage) == {"state": "error", "reason": "GitHub did not answer for too long."}
    assert timedelta(hours=5) <= stage.now - START < timedelta(hours=6)


def test_cancelled_evaluation_is_told_as_such() -> None:
    """It has no verdict."""
    stage = stage_with(evaluation=lambda _: {"cancelled": True})

    assert play(stage)["state"] == "cancelled"


def test_crash_is_told_before_the_instance_fails() -> None:
    """Whoever waits for the answer gets one; the error stays on the instance."""

    def crash(_: Any) -> Any:
        raise RuntimeError("storage is full")

    stage = stage_with(evaluation=crash)

    with pytest.raises(RuntimeError, match="storage is full"):
        play(stage)
    assert stage.payloads("tell_evaluation")[-1]["reason"] == "Drawbridge itself failed here: storage is full"
