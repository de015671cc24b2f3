"""Somebody asks for an evaluation in a comment, told with fake effects."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from domain.git_flow import Ask
from orchestrators.asked import asked
from tests import samples
from tests.orchestrators.stage import Stage

ASK = Ask(samples.REPOSITORY, 7, 4711, "full", "maria")
NAME = f"on-demand-acme.helpdesk-{samples.SHA}-full-comment4711"


def stage_with(found: Any) -> Stage:
    """Return a stage where GitHub says `found` of whoever asks."""
    answers = found if isinstance(found, list) else [found]
    return Stage(
        {"look_at_ask": lambda _: answers.pop(0) if len(answers) > 1 else answers[0], "answer_ask": lambda _: None},
        {"scheduled_evaluation": lambda _: {"state": "passed", "reason": ""}},
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
