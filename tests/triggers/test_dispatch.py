"""Every action has its orchestration, and is done once however often it is asked for."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any

import pytest

from adapters import changes, connect
from domain.changes import ChangeRecord, ChangeState
from domain.errors import Ignored
from domain.git_flow import Action, Ask, EndChange, GroupRequest, LookAgain, LookAtLabel, Push, ToggleOptOut
from domain.models import ChangeRequest, EvaluationRequest, ReleaseRequest
from settings import Branch, Settings
from tests.triggers.edge import ORIGIN, FakeDurable
from triggers import dispatch
from triggers.dispatch import Answer

SHA = "a" * 40
HELPDESK = "acme/helpdesk"
CHANGE = ChangeRequest(HELPDESK, 7, SHA, "d-1")
RELEASE = ReleaseRequest(HELPDESK, SHA, "b" * 40, "main", "sam", "d-1")
GROUP = GroupRequest(HELPDESK, SHA, "main", f"gh-readonly-queue/main/pr-7-{'b' * 40}")
EVALUATION = EvaluationRequest(HELPDESK, SHA, "minimal", "continuous", "", "push")
ASK = Ask(HELPDESK, 7, 501, "full", "sam")
AGAIN = Ask(HELPDESK, None, 0, "full", "sam", SHA, check=901, rerun="rerun901")
TOGGLE = ToggleOptOut(HELPDESK, 7, "skip", True, "sam", "2026-11-23T09:00:00Z", "k-on")
LABEL = LookAtLabel(CHANGE, "k-on")


@pytest.mark.parametrize(
    ("action", "orchestrator", "instance", "page"),
    [
        (RELEASE, "release", f"release-acme.helpdesk-{SHA}", "releases"),
        (CHANGE, "pull_request", f"change-acme.helpdesk-7-{SHA}", "changes"),
        (GROUP, "merge_group", f"group-acme.helpdesk-{SHA}", "changes"),
        (EVALUATION, "scheduled_evaluation", f"continuous-acme.helpdesk-{SHA}-minimal-push", "evaluations"),
        (ASK, "asked", "asked-acme.helpdesk-comment501-full", ""),
        (AGAIN, "asked", "asked-acme.helpdesk-rerun901-full-sam", ""),
        (TOGGLE, "toggle", "toggle-acme.helpdesk-7-k-on", ""),
        (LABEL, "opt_out_preview", f"change-acme.helpdesk-7-{SHA}.label.k-on", ""),
    ],
)
def test_action_starts_its_orchestration_once(
    app: Settings, action: Action, orchestrator: str, instance: str, page: str
) -> None:
    """Asking again, even at once, finds it started; the answer leads to its page where it has one."""
    client = FakeDurable()

    async def ask_often() -> list[Answer]:
        asked = (dispatch.act(client, connect.blobs(app), app, action) for _ in range(5))
        return await asyncio.gather(*asked)

    answers = asyncio.run(ask_often())
    ((started, name, payload),) = client.started

    assert (started, name) == (orchestrator, instance)
    assert payload == asdict(action)
    assert sorted(answer.decision for answer in answers) == ["already started"] * 4 + ["started"]
    assert {answer.url for answer in answers} == {f"{ORIGIN}/api/{page}/{instance}" if page else ""}


def test_change_that_ended_and_comes_back_is_validated_again(app: Settings) -> None:
    """Closed and reopened with the same head: a next attempt, once."""
    client, blobs = FakeDurable(), connect.blobs(app)

    def act(action: Action) -> Answer:
        return asyncio.run(dispatch.act(client, blobs, app, action))

    first = act(CHANGE)
    changes.take_up(blobs, ChangeRecord(HELPDESK, 7, head=SHA, instance=first.instance))
    ended = act(EndChange(HELPDESK, 7, "closed"))
    again = [act(CHANGE).instance for _ in range(2)]

    assert ended == Answer("ended")
    assert again == [f"{first.instance}.2"] * 2
    assert [name for _, name, _ in client.started] == [first.instance, f"{first.instance}.2"]


def failed_for(app: Settings, number: int, *red: str, **fields: Any) -> None:
    """Let a change have failed at SHA for required checks alone."""
    record = ChangeRecord(HELPDESK, number, head=SHA, base="develop", instance="x", red=red)
    changes.take_up(connect.blobs(app), replace(record, state=ChangeState.FAILED, **fields))
    changes.note_red(connect.blobs(app), record)


def turn_green(app: Settings, client: FakeDurable, name: str) -> str:
    """Let a check of SHA have succeeded; say what became of that."""
    try:
        return asyncio.run(dispatch.act(client, connect.blobs(app), app, LookAgain(HELPDESK, SHA, name))).decision
    except Ignored as ignored:
        return str(ignored)


def test_change_is_validated_again_when_the_check_that_it_failed_for_turns_green(app: Settings) -> None:
    """Once for each conclusion, however often that is told; every change that has this head."""
    client = FakeDurable()
    failed_for(app, 7, "ci")
    failed_for(app, 8, "ci", attempt=2)

    assert [turn_green(app, client, "ci") for _ in range(2)] == ["started", "already started"]
    started = {(payload["number"], payload["attempt"], payload["base"]) for _, _, payload in client.started}
    assert started == {(7, 2, "develop"), (8, 3, "develop")}
    assert sorted(name for _, name, _ in client.started)[0] == f"change-acme.helpdesk-7-{SHA}.2"


def test_change_that_failed_for_two_checks_waits_for_both(app: Settings) -> None:
    """In any order; the first one's success is not asked for again."""
    client = FakeDurable()
    failed_for(app, 7, "ci", "lint")
    nothing = f"no change failed at {SHA[:7]} for lint alone"

    assert [turn_green(app, client, name) for name in ("lint", "lint", "ci")] == [nothing, nothing, "started"]


@pytest.mark.parametrize("fields", [{"ended": "closed"}, {"red": ()}, {"head": "c" * 40}])
def test_change_that_does_not_wait_for_the_check_is_left_alone(app: Settings, fields: dict[str, Any]) -> None:
    """Closed, validated again already, or pushed to."""
    client = FakeDurable()
    failed_for(app, 7, "ci", **fields)

    assert turn_green(app, client, "ci") == f"no change failed at {SHA[:7]} for ci alone"
    assert turn_green(app, client, "lint") == f"no change failed at {SHA[:7]} for lint alone"
    assert client.started == []


def test_event_is_decided_about_and_acted_upon(app: Settings) -> None:
    """The branches are the settings'."""
    client = FakeDurable()
    push = Push(HELPDESK, "develop", "b" * 40, SHA, "sam", "d-1")
    (answer,) = asyncio.run(dispatch.take(client, connect.blobs(app), app, push))

    assert answer.instance == f"continuous-acme.helpdesk-{SHA}-minimal-push"
    assert client.started[0][0] == "scheduled_evaluation"


def test_each_repository_has_its_own_branches(app: Settings) -> None:
    """One app: what releases one repository is any other branch in the next one."""
    client, search = FakeDurable(), "acme/search"
    main, develop = Branch("main", {search: "trunk"}), Branch("develop", {search: "next"})
    settings = replace(app, repositories=(HELPDESK, search), release_branch=main, develop_branch=develop)

    def push(repository: str, branch: str) -> str:
        event = Push(repository, branch, "b" * 40, SHA, "sam", "d-1")
        try:
            (answer,) = asyncio.run(dispatch.take(client, connect.blobs(app), settings, event))
        except Ignored as why:
            return str(why)
        return answer.instance

    assert push(HELPDESK, "main") == f"release-acme.helpdesk-{SHA}"
    assert push(HELPDESK, "trunk") == "branch trunk is neither main nor develop"
    assert push("Acme/Search", "trunk") == f"release-acme.search-{SHA}"
    assert push("Acme/Search", "next") == f"continuous-acme.search-{SHA}-minimal-push"
    assert push("Acme/Search", "main") == "branch main is neither trunk nor next"
