"""GitHub's JSON becomes typed events; what lacks is named."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from devhost.github.background import running
from devhost.github.client import Client
from devhost.github.server import Options
from domain import github_events
from domain.errors import BadRequest
from domain.git_flow import (
    ChangeEvent,
    CheckEvent,
    CheckPassed,
    CommentEvent,
    Event,
    GroupEvent,
    OtherEvent,
    Push,
    SuiteEvent,
)
from tests.devhost.github.world import caller

SHA = "a" * 40
REPOSITORY = {"full_name": "acme/helpdesk"}
PUSH = {
    "ref": "refs/heads/main",
    "before": "b" * 40,
    "after": SHA,
    "forced": True,
    "repository": REPOSITORY,
    "pusher": {"name": "sam"},
}
PULL = {
    "number": 7,
    "draft": False,
    "head": {"sha": SHA, "ref": "sam/12-shorter", "repo": {"full_name": "Acme/helpdesk"}},
    "base": {"sha": "b" * 40, "ref": "develop", "repo": REPOSITORY},
    "merged_at": None,
    "updated_at": "2026-11-23T09:00:00Z",
}
CHANGE = {"action": "opened", "number": 7, "pull_request": PULL, "repository": REPOSITORY, "sender": {"login": "sam"}}
QUEUED = f"gh-readonly-queue/main/pr-7-{'b' * 40}"
GROUP = {
    "action": "checks_requested",
    "merge_group": {"head_sha": SHA, "head_ref": f"refs/heads/{QUEUED}", "base_ref": "refs/heads/main"},
    "repository": REPOSITORY,
}
COMMENT = {
    "action": "created",
    "issue": {"number": 7, "pull_request": {"url": "x"}},
    "comment": {"id": 501, "body": "/evaluate full", "user": {"login": "sam", "type": "User"}},
    "repository": REPOSITORY,
}
CHECK = {
    "action": "rerequested",
    "check_run": {"id": 901, "head_sha": SHA, "name": "drawbridge/change", "external_id": "change-7"},
    "repository": REPOSITORY,
    "sender": {"login": "sam"},
}
SUITE = {
    "action": "rerequested",
    "check_suite": {"id": 31, "head_sha": SHA, "updated_at": "2026-11-23T09:00:00Z", "pull_requests": [{"number": 7}]},
    "repository": REPOSITORY,
    "sender": {"login": "sam"},
}


def with_(payload: Any, path: str, value: Any) -> Any:
    """Return the payload with another value at a dotted path."""
    changed = copy.deepcopy(payload)
    *parts, last = path.split(".")
    place = changed
    for part in parts:
        place = place[part]
    place[last] = value
    return changed


def read(name: str, payload: Any) -> Event:
    """Read a delivery."""
    return github_events.read(name, payload, "d-1")


def test_push_is_typed() -> None:
    """Branch names keep their slashes."""
    event = read("push", with_(PUSH, "ref", "refs/heads/alex/12-shorter"))

    assert event == Push("acme/helpdesk", "alex/12-shorter", "b" * 40, SHA, "sam", "d-1", forced=True)


def test_change_is_typed() -> None:
    """A head in the same repository is no fork, whatever its spelling."""
    assert read("pull_request", CHANGE) == ChangeEvent(
        repository="acme/helpdesk",
        number=7,
        action="opened",
        head=SHA,
        head_branch="sam/12-shorter",
        base_branch="develop",
        draft=False,
        fork=False,
        merged=False,
        label="",
        sender="sam",
        at="2026-11-23T09:00:00Z",
        delivery="d-1",
    )


@pytest.mark.parametrize(
    ("told", "action"),
    [
        ({}, "checks_requested"),
        ({"action": "destroyed", "reason": "dequeued"}, "dequeued"),
        ({"action": "destroyed"}, "destroyed"),
    ],
)
def test_group_of_a_merge_queue_is_typed(told: Any, action: str) -> None:
    """Branches lose their refs/heads/; one that is given up says why."""
    event = read("merge_group", {**GROUP, **told})

    assert event == GroupEvent("acme/helpdesk", QUEUED, "main", SHA, action, "d-1")


@pytest.mark.parametrize("head", [None, {"full_name": "stranger/helpdesk"}])
def test_head_elsewhere_is_a_fork(head: Any) -> None:
    """Also when the fork has been deleted since."""
    event = read("pull_request", with_(CHANGE, "pull_request.head.repo", head))

    assert isinstance(event, ChangeEvent)
    assert event.fork


def test_labels_and_merges_are_told() -> None:
    """An unlabeled event of a merged change has both."""
    payload = with_(with_(CHANGE, "action", "unlabeled"), "pull_request.merged_at", "2026-11-23T08:00:00Z")
    event = read("pull_request", {**payload, "label": {"name": "skip-e2e-evaluation"}})

    assert isinstance(event, ChangeEvent)
    assert (event.action, event.label, event.merged) == ("unlabeled", "skip-e2e-evaluation", True)


def test_account_that_is_gone_is_the_ghost() -> None:
    """GitHub answers null for it."""
    event = read("issue_comment", with_(COMMENT, "comment.user", None))

    assert isinstance(event, CommentEvent)
    assert (event.author, event.bot) == ("ghost", False)


def test_comment_on_a_pull_request_is_typed() -> None:
    """A bot's is marked."""
    event = read("issue_comment", with_(COMMENT, "comment.user.type", "Bot"))

    assert event == CommentEvent("acme/helpdesk", 7, 501, "/evaluate full", "sam", "d-1", bot=True)


@pytest.mark.parametrize(
    ("payload", "action"),
    [
        (CHECK, "rerequested"),
        ({**CHECK, "action": "requested_action", "requested_action": {"identifier": "evaluate-full"}}, "evaluate-full"),
    ],
)
def test_buttons_of_checks_are_typed(payload: Any, action: str) -> None:
    """Re-running is a button too."""
    assert read("check_run", payload) == CheckEvent(
        "acme/helpdesk", 901, SHA, "drawbridge/change", "change-7", action, "sam", "d-1"
    )


@pytest.mark.parametrize(("pulls", "change"), [([{"number": 7}, {"number": 8}], 7), ([], None)])
def test_check_knows_an_open_change_whose_head_it_is_on(pulls: Any, change: int | None) -> None:
    """GitHub names none of a fork's."""
    event = read("check_run", with_(CHECK, "check_run.pull_requests", pulls))

    assert isinstance(event, CheckEvent)
    assert event.change == change


def test_check_that_succeeded_is_told() -> None:
    """Whoever's it is: a change may have failed for it."""
    event = read("check_run", with_({**CHECK, "action": "completed"}, "check_run.conclusion", "success"))

    assert event == CheckPassed("acme/helpdesk", SHA, "drawbridge/change", "d-1")


def test_running_all_checks_again_is_typed() -> None:
    """The moment tells two presses apart."""
    event = read("check_suite", SUITE)

    assert event == SuiteEvent("acme/helpdesk", 31, SHA, "2026-11-23T09:00:00Z", "sam", "d-1", change=7)


@pytest.mark.parametrize(
    ("name", "payload", "logged"),
    [
        ("ping", {"zen": "Design for failure."}, "ping"),
        ("push", with_(PUSH, "ref", "refs/tags/v1"), "push"),
        ("pull_request", {"action": "assigned", "repository": REPOSITORY}, "pull_request.assigned"),
        ("issue_comment", {**COMMENT, "action": "edited"}, "issue_comment.edited"),
        ("issue_comment", {**COMMENT, "issue": {"number": 7}}, "issue_comment.created"),
        ("check_run", {**CHECK, "action": "completed"}, "check_run.completed"),
        *(
            ("check_run", with_({**CHECK, "action": "completed"}, "check_run.conclusion", end), "check_run.completed")
            for end in ("failure", "skipped", "neutral", None)
        ),
        ("check_suite", {**SUITE, "action": "completed"}, "check_suite.completed"),
        ("made_up", {"repository": None, "action": 7}, "made_up"),
    ],
)
def test_other_events_keep_their_name_for_the_log(name: str, payload: Any, logged: str) -> None:
    """They start nothing, and say what they were."""
    event = read(name, payload)

    assert isinstance(event, OtherEvent)
    assert event.name == logged


@pytest.mark.parametrize(
    ("changes", "action"),
    [({"base": {"ref": {"from": "main"}}}, "edited"), ({"body": {"from": "old"}}, "reworded"), ({}, "reworded")],
)
def test_change_turned_to_another_base_is_told_from_one_with_other_words(changes: Any, action: str) -> None:
    """GitHub calls both edited."""
    event = read("pull_request", {**CHANGE, "action": "edited", "changes": changes})

    assert isinstance(event, ChangeEvent)
    assert event.action == action


@pytest.mark.parametrize(
    ("name", "payload", "lack"),
    [
        ("push", [], "it is no JSON object"),
        ("push", None, "it is no JSON object"),
        ("push", {}, "ref is no text"),
        ("push", with_(PUSH, "ref", None), "ref is no text"),
        ("push", with_(PUSH, "after", "HEAD"), "after is no commit sha"),
        ("push", with_(PUSH, "after", "a" * 39), "after is no commit sha"),
        ("push", with_(PUSH, "after", 7), "after is no commit sha"),
        ("push", with_(PUSH, "before", "../../x"), "before is no commit sha"),
        ("push", with_(PUSH, "repository", None), "repository.full_name is no text"),
        ("pull_request", {}, "action is no text"),
        ("pull_request", with_(CHANGE, "pull_request", "text"), "pull_request is no object"),
        ("pull_request", with_(CHANGE, "pull_request.number", "7"), "number is no number"),
        ("pull_request", with_(CHANGE, "pull_request.number", True), "number is no number"),
        ("pull_request", with_(CHANGE, "pull_request.head", None), "head.sha is no commit sha"),
        ("pull_request", with_(CHANGE, "pull_request.base.ref", None), "base.ref is no text"),
        ("pull_request", with_(CHANGE, "pull_request.updated_at", None), "updated_at is no text"),
        ("pull_request", {**CHANGE, "action": "labeled"}, "label.name is no text"),
        ("issue_comment", with_(COMMENT, "comment.id", None), "id is no number"),
        ("issue_comment", with_(COMMENT, "issue.number", None), "issue.number is no number"),
        ("check_run", with_(CHECK, "check_run.head_sha", "x"), "check_run.head_sha is no commit sha"),
        ("check_run", {**CHECK, "action": "requested_action"}, "requested_action.identifier is no text"),
        ("check_suite", with_(SUITE, "check_suite.updated_at", None), "check_suite.updated_at is no text"),
    ],
)
def test_what_lacks_is_named(name: str, payload: Any, lack: str) -> None:
    """Signed nonsense is a bad request that says where to look, never an exception."""
    with pytest.raises(BadRequest) as caught:
        read(name, payload)

    assert str(caught.value) == f"The {name} event lacks what GitHub sends with it: {lack}."


LABELED = {**CHANGE, "action": "labeled", "label": {"name": "skip-e2e-evaluation"}}
TURNED = {**CHANGE, "action": "edited", "changes": {"base": {"ref": {"from": "main"}}}}
GIVEN_UP = {**GROUP, "action": "destroyed", "reason": "dequeued"}
PASSED = with_({**CHECK, "action": "completed"}, "check_run.conclusion", "success")
RERUN = with_(CHECK, "check_run.pull_requests", [{"number": 7}])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """What the double tells of a change's life, which is held to GitHub's schemas: the newest of each kind."""
    with running(Options(tmp_path_factory.mktemp("github"))) as origin:
        double = Client(origin)
        double.create_repository("acme/helpdesk", branches=("main", "develop"))
        head = double.push("acme/helpdesk", "sam/12-shorter", {"a.txt": "a"}, author="sam")
        number = double.open_pull_request("acme/helpdesk", "sam/12-shorter", "Shorter", author="sam")["number"]
        double.add_label("acme/helpdesk", number, "skip-e2e-evaluation", by="sam")
        double.comment("acme/helpdesk", number, "/evaluate full", by="sam")
        run = double.report_check("acme/helpdesk", head, "drawbridge/change", "success")
        double.rerequest("acme/helpdesk", run["id"], by="sam")
        double.rerequest_all("acme/helpdesk", run["check_suite"]["id"], by="sam")
        (group,) = double.queue("acme/helpdesk", [number], by="sam")
        double.leave_queue("acme/helpdesk", group["branch"])
        caller(origin, "acme/helpdesk")("PATCH", f"/pulls/{number}", json={"base": "develop"})
        return {(one["event"], one["action"]): json.loads(one["payload"]) for one in double.deliveries()}


def like(made: Any, published: Any) -> Any:
    """Leave of what GitHub publishes just what somebody made by hand; fail where the one is not like the other."""
    if isinstance(made, dict):
        return {name: like(value, published[name]) for name, value in made.items()}
    if isinstance(made, list):
        return [like(made[0], one) for one in published]
    assert type(made) is type(published)
    return published


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("push", PUSH),
        ("pull_request", CHANGE),
        ("pull_request", LABELED),
        ("pull_request", TURNED),
        ("merge_group", GROUP),
        ("merge_group", GIVEN_UP),
        ("issue_comment", COMMENT),
        ("check_run", RERUN),
        ("check_run", PASSED),
        ("check_suite", SUITE),
    ],
)
def test_payloads_made_by_hand_say_what_github_publishes(told: Any, name: str, payload: Any) -> None:
    """The reader needs nothing else of GitHub's own, and what it reads is there under these names."""
    published = told[name, payload.get("action", "")]
    event = read(name, published)

    assert not isinstance(event, OtherEvent)
    assert event == read(name, like(payload, published))
