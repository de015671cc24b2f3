"""Who may ask for an evaluation in a comment, and which one it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain import asks, schedules
from domain.asks import OwnCheck, Standing
from domain.commands import read_command
from domain.git_flow import Ask
from domain.models import ChangeRequest

ASK = Ask("acme/helpdesk", 7, 4711, "full", "maria")
HEAD = "c0ffee" + "0" * 34


@pytest.mark.parametrize("permission", ["admin", "maintain", "write"])
def test_people_who_can_write_may_ask(permission: str) -> None:
    """Nothing stands in the way."""
    assert asks.objection(ASK, Standing(permission, HEAD)) == ""


@pytest.mark.parametrize(
    ("ask", "standing", "words"),
    [
        (ASK, Standing("read"), "@maria, an evaluation is started by people who can write to this repository"),
        (ASK, Standing("none"), "GitHub says that you cannot"),
        (replace(ASK, kind="help"), Standing("write", HEAD), "Write `/evaluate minimal` or `/evaluate full`, alone"),
        (replace(ASK, kind="help"), Standing("read"), "people who can write"),
        (ASK, Standing("admin", HEAD, fork=True), "comes from a fork, whose code must not run beside the model's key"),
    ],
)
def test_everybody_else_is_told_why_not(ask: Ask, standing: Standing, words: str) -> None:
    """In one comment that says what to do; it must not read as a command itself."""
    objection = asks.objection(ask, standing)

    assert words in objection
    assert read_command(objection) is None


def test_name_that_is_none_mentions_nobody() -> None:
    """A login comes from outside."""
    objection = asks.objection(replace(ASK, by="x](http://evil) @all"), Standing("none"))

    assert "@all" not in objection
    assert "](http" not in objection


@pytest.mark.parametrize(("login", "bot"), [("drawbridge[bot]", True), ("Dependabot[BOT]", True), ("robot", False)])
def test_apps_are_bots(login: str, bot: bool) -> None:
    """GitHub gives their names this ending, and nobody else's."""
    assert asks.is_bot(login) is bot


CHANGE = OwnCheck(1, "drawbridge/change", f"change-acme.helpdesk-7-{HEAD}.2")
FULL = OwnCheck(2, "drawbridge/evaluate-full", f"release-acme.helpdesk-{HEAD}")
AGAIN = OwnCheck(3, "drawbridge/evaluate-full-on-demand", f"on-demand-acme.helpdesk-{HEAD}-full-comment5")
DEPLOY = OwnCheck(4, "drawbridge/deploy-dev", f"release-acme.helpdesk-{HEAD}")
EVERYTHING = replace(ASK, comment=0, kind="all", check=31, sha=HEAD, rerun="suite31-1")


def test_running_all_again_runs_each_kind_once() -> None:
    """Of two checks of full evaluations one; what cannot run by itself not at all."""
    standing = Standing("write", HEAD, checks=(CHANGE, FULL, AGAIN, DEPLOY))
    again = asks.each(EVERYTHING, standing)

    assert asks.objection(EVERYTHING, standing) == ""
    assert [(one.kind, one.check, one.number, one.by) for one in again] == [
        ("validation", 1, 7, "maria"),
        ("full", 2, None, "maria"),
    ]
    assert asks.validation(again[0]) == ChangeRequest("acme/helpdesk", 7, HEAD, "rerun1", attempt=3)


def test_where_no_check_can_run_again_the_answer_says_what_to_do() -> None:
    """It is no command either."""
    objection = asks.objection(EVERYTHING, Standing("write", HEAD, checks=(DEPLOY,)))

    assert objection.startswith("@maria, no check of `c0ffee0` can be run again by itself: push a new commit")
    assert read_command(objection) is None


def test_validation_of_a_fork_runs_again() -> None:
    """It gives the fork's code no secrets, unlike an evaluation."""
    ask = replace(ASK, kind="validation")

    assert asks.objection(ask, Standing("write", HEAD, fork=True)) == ""
    assert "people who can write" in asks.objection(ask, Standing("read"))


@pytest.mark.parametrize(
    ("ask", "key"), [(ASK, "comment4711"), (replace(ASK, comment=0, check=12, number=None), "check12")]
)
def test_an_ask_is_one_evaluation_however_often_it_is_told(ask: Ask, key: str) -> None:
    """The comment's or the check's id makes it one; another comment is another evaluation, of the same commit too."""
    record = schedules.opened(asks.requested(ask, Standing("write", HEAD)), "2026-11-23T09:00:00Z")

    assert record.id == f"on-demand-acme.helpdesk-{HEAD}-full-{key}"
    assert (record.asked_by, record.change, record.state) == ("maria", ask.number, "running")
    assert record.instance == f"{record.id}.run"
