"""Somebody asks for an evaluation in a comment, told with fake effects."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from domain.git_flow import Ask, change_id
from domain.models import ChangeRequest
from orchestrators.asked import asked
from tests import samples
from tests.orchestrators.stage import Stage

ASK = Ask(samples.REPOSITORY, 7, 4711, "full", "maria")
NAME = f"on-demand-acme.helpdesk-{samples.SHA}-full-comment4711"


def stage_with(found: Any) -> Stage:
    """Return a stage where GitHub says `found` of whoever asks."""
    answers = found if isinstance(found, list) else [found]
    ended = {"state": "passed", "reason": ""}
    claims: set[str] = set()

    def claim(wanted: dict[str, str]) -> bool:
        return wanted["instance"] not in claims and not claims.add(wanted["instance"])  # type: ignore[func-returns-value]

    return Stage(
        {
            "look_at_ask": lambda _: answers.pop(0) if len(answers) > 1 else answers[0],
            "answer_ask": lambda _: None,
            "claim_run": claim,
        },
        {name: lambda _: ended for name in ("scheduled_evaluation", "pull_request", "asked")},
    )


def standing(permission: str = "write", **fields: Any) -> dict[str, Any]:
    return {"standing": {"permission": permission, "sha": samples.SHA, "fork": False, **fields}}


def play(stage: Stage, **fields: Any) -> Any:
    return stage.play(asked, {**asdict(ASK), **fields})


def test_who_may_gets_a_link_and_then_the_evaluation() -> None:
    """The answer comes before the hours that it takes."""
    stage = stage_with(standing())

    assert play(stage) == {"state": "passed", "reason": ""}
    assert [name for name, _ in stage.asked] == ["look_at_ask", "answer_ask", "scheduled_evaluation"]
    (answer,), (request,) = stage.payloads("answer_ask"), stage.payloads("scheduled_evaluation")
    assert answer["request"] == request
    assert (request["sha"], request["kind"], request["change"]) == (samples.SHA, "full", 7)


@pytest.mark.parametrize(
    ("found", "fields", "words"),
    [
        (standing("read", sha=""), {}, "people who can write to this repository"),
        (standing(fork=True), {}, "comes from a fork"),
        (standing(), {"kind": "help"}, "`/evaluate minimal` or `/evaluate full`"),
        ({"error": "github has no such thing (404 Not Found)."}, {}, "has no such thing"),
        ({"retry_after": 60.0}, {}, "GitHub did not answer for too long."),
    ],
)
def test_what_is_refused_is_answered_and_starts_nothing(found: Any, fields: dict[str, Any], words: str) -> None:
    """Whoever asked reads why, on the change."""
    stage = stage_with(found)

    output = play(stage, **fields)

    assert output["state"] == "refused"
    (answer,) = stage.payloads("answer_ask")
    assert words in answer["objection"]
    assert stage.payloads("scheduled_evaluation") == []


def test_what_a_bot_writes_starts_nothing_and_is_not_answered() -> None:
    """Two bots would talk for ever."""
    stage = stage_with(standing("admin"))

    assert play(stage, by="renovate[bot]")["state"] == "ignored"
    assert stage.asked == []


def test_outage_of_github_only_delays_the_answer() -> None:
    """It is asked again."""
    stage = stage_with([{"retry_after": 60.0}, standing()])

    assert play(stage)["state"] == "passed"
    assert len(stage.timers) == 1


@pytest.mark.parametrize(("rerun", "key"), [("rerun12", "rerun12"), ("", "check12")])
def test_button_starts_it_once_whoever_presses(rerun: str, key: str) -> None:
    """The second press finds it claimed, and leaves it to the first."""
    stage = stage_with(standing())
    fields = {"comment": 0, "check": 12, "sha": samples.SHA, "rerun": rerun}

    states = [play(stage, **fields, by=by)["state"] for by in ("maria", "sam")]

    assert states == ["passed", "ignored"]
    assert [one["instance"] for one in stage.payloads("claim_run")] == [NAME.replace("comment4711", key)] * 2
    assert [one["asked_by"] for one in stage.payloads("scheduled_evaluation")] == ["maria"]


def test_who_may_not_write_runs_nothing_again() -> None:
    """Re-run asks for the same permission as a comment does."""
    stage = stage_with(standing("read", sha=""))

    assert play(stage, comment=0, check=12, sha=samples.SHA, rerun="rerun12")["state"] == "refused"
    assert [name for name, _ in stage.asked] == ["look_at_ask", "answer_ask"]


def test_validation_runs_again_as_the_attempt_that_is_due() -> None:
    """Its check says how it goes, so nobody is answered."""
    again = ChangeRequest(samples.REPOSITORY, 7, samples.SHA, "rerun12", attempt=3)
    stage = stage_with(standing(validation=asdict(again)))

    assert play(stage, kind="validation", comment=0, check=12, sha=samples.SHA, rerun="rerun12")["state"] == "passed"
    assert stage.payloads("pull_request") == [asdict(again)]
    assert stage.payloads("claim_run")[0]["instance"] == change_id(again)
    assert stage.payloads("answer_ask") == []


def test_all_checks_run_again_at_once() -> None:
    """Each as if its own Re-run had been pressed; those that were pressed already are left out."""
    checks = [
        {"id": 1, "name": "drawbridge/change", "external_id": f"change-acme.helpdesk-7-{samples.SHA}"},
        {"id": 2, "name": "drawbridge/evaluate-full", "external_id": f"release-acme.helpdesk-{samples.SHA}"},
    ]
    stage = stage_with(standing(checks=checks))
    everything = {"kind": "all", "comment": 0, "check": 31, "sha": samples.SHA}

    first = play(stage, **everything, rerun="suite31-1")
    second = play(stage, **everything, rerun="suite31-2")

    assert first == {"state": "over", "reason": "passed, passed"}
    assert [(one["kind"], one["rerun"]) for one in stage.payloads("asked")] == [
        ("validation", "rerun1"),
        ("full", "rerun2"),
    ]
    assert second["state"] == "ignored"
