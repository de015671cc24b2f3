"""Which event starts what."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.asks import Standing, requested
from domain.errors import Ignored
from domain.git_flow import (
    ALL,
    NO_COMMIT,
    VALIDATION,
    Action,
    Ask,
    ChangeEvent,
    CheckEvent,
    CheckPassed,
    CommentEvent,
    EndChange,
    Event,
    GroupEvent,
    GroupRequest,
    LookAgain,
    LookAtLabel,
    OtherEvent,
    Push,
    SuiteEvent,
    ToggleOptOut,
    ask_id,
    decide,
    evaluation_id,
    group_id,
    label_id,
    release_id,
    toggle_id,
)
from domain.models import ChangeRequest, EvaluationRequest, ReleaseRequest

HELPDESK = "acme/helpdesk"
SHA = "a" * 40
PUSH = Push(HELPDESK, "main", "b" * 40, SHA, "sam", "d-1")
CHANGE = ChangeEvent(
    repository=HELPDESK,
    number=7,
    action="synchronize",
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
QUEUED = f"gh-readonly-queue/main/pr-7-{'b' * 40}"
GROUP = GroupEvent(HELPDESK, QUEUED, "main", SHA, "checks_requested", "d-1")
COMMENT = CommentEvent(HELPDESK, 7, 501, "/evaluate full", "sam", "d-1")
OF_CHANGE = f"change-acme.helpdesk-7-{SHA}"
CHECK = CheckEvent(HELPDESK, 901, SHA, "drawbridge/change", OF_CHANGE, "rerequested", "sam", "d-1")
SUITE = SuiteEvent(HELPDESK, 31, SHA, "2026-11-23T09:00:00Z", "sam", "d-1", change=7)
OF_RELEASE = replace(CHECK, external_id=f"release-acme.helpdesk-{SHA}", name="drawbridge/evaluate-full")


def decided(event: Event, repositories: tuple[str, ...] = (HELPDESK,)) -> Action:
    """Return the one action that an event asks for."""
    (action,) = decide(event, repositories, "main", "develop")
    return action


def reason(event: Event) -> str:
    """Return why an event is ignored."""
    with pytest.raises(Ignored) as caught:
        decided(event)
    return str(caught.value)


def test_push_to_the_release_branch_starts_a_release() -> None:
    """The request carries what the push said, also that it rewrote the branch."""
    assert decided(replace(PUSH, forced=True)) == ReleaseRequest(
        repository=HELPDESK, sha=SHA, before="b" * 40, branch="main", pusher="sam", delivery="d-1", forced=True
    )


def test_push_to_develop_starts_the_minimal_evaluation() -> None:
    """One per commit, whoever tells of it."""
    action = decided(replace(PUSH, branch="develop"))

    assert action == EvaluationRequest(HELPDESK, SHA, "minimal", "continuous", asked_by="", key="push")
    assert isinstance(action, EvaluationRequest)
    assert evaluation_id(action) == f"continuous-acme.helpdesk-{SHA}-minimal-push"


def test_check_that_succeeded_is_looked_up() -> None:
    """Only the records say whether anybody waits for it."""
    assert decided(CheckPassed(HELPDESK.upper(), SHA, "ci", "d-1")) == LookAgain(HELPDESK, SHA, "ci")


def test_group_of_a_merge_queue_is_validated() -> None:
    """Once for each commit the queue makes."""
    action = decided(GROUP)

    assert action == GroupRequest(HELPDESK, SHA, "main", QUEUED)
    assert isinstance(action, GroupRequest)
    assert group_id(action) == f"group-acme.helpdesk-{SHA}"


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("dequeued", "taken out of the merge queue"),
        ("invalidated", "brought together anew by the merge queue"),
        ("merged", "merged by the merge queue"),
        ("destroyed", "let go by the merge queue"),
    ],
)
def test_group_that_is_given_up_ends(reason: str, why: str) -> None:
    """Whatever the reason; its record is found by its head."""
    assert decided(replace(GROUP, action=reason)) == EndChange(HELPDESK, SHA, why)


def test_merge_queue_of_another_branch_is_nobodys_business() -> None:
    """Our check is not required there."""
    assert reason(replace(GROUP, base_branch="docs")) == "the merge queue of docs is for neither main nor develop"


@pytest.mark.parametrize("base", ["main", "develop"])
def test_branch_of_a_merge_queue_is_no_push_to_where_it_lands(base: str) -> None:
    """What is in the queue may never land."""
    branch = f"gh-readonly-queue/{base}/pr-7-{SHA}"

    assert reason(replace(PUSH, branch=branch)) == f"branch {branch} is neither main nor develop"


def test_where_both_branches_are_one_a_push_releases() -> None:
    """A team that works on main alone loses no release."""
    (action,) = decide(PUSH, (HELPDESK,), "main", "main")

    assert isinstance(action, ReleaseRequest)


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (replace(PUSH, repository="evil/helpdesk"), "repository evil/helpdesk is not configured here"),
        (replace(PUSH, branch="sam/12-x"), "branch sam/12-x is neither main nor develop"),
        (replace(PUSH, branch="main2"), "branch main2 is neither main nor develop"),
        (
            replace(PUSH, after=NO_COMMIT),
            "branch main of acme/helpdesk is gone or renamed: push it, or set DRAWBRIDGE_RELEASE_BRANCH to another",
        ),
        (
            replace(PUSH, after=NO_COMMIT, branch="develop"),
            "branch develop of acme/helpdesk is gone or renamed: push it, or set DRAWBRIDGE_DEVELOP_BRANCH to another",
        ),
        (OtherEvent("star.created", HELPDESK, "d"), "event star.created starts nothing"),
        (OtherEvent("ping", "", "d"), "repository (none) is not configured here"),
        (replace(CHANGE, draft=True), "change 7 is a draft"),
        (replace(CHANGE, draft=True, action="reworded"), "change 7 is a draft"),
        (
            replace(CHANGE, action="labeled", label="released", merged=True),
            "change 7 is merged into develop: no release carries it",
        ),
        (replace(CHANGE, base_branch="sam/1-y"), "change 7 goes to sam/1-y, which is neither main nor develop"),
        (replace(CHANGE, action="assigned"), "event pull_request.assigned starts nothing"),
        (replace(COMMENT, body="looks good"), "comment 501 holds no command"),
        (replace(COMMENT, body="> /evaluate full"), "comment 501 holds no command"),
        (replace(COMMENT, bot=True), "comment 501 is a bot's or our own"),
        (replace(COMMENT, body="<!-- drawbridge:x -->\n/evaluate full"), "comment 501 is a bot's or our own"),
        (replace(CHECK, action="fix-it"), "check drawbridge/change has no button fix-it of ours"),
        (
            replace(OF_RELEASE, name="drawbridge/deploy-dev"),
            "check drawbridge/deploy-dev cannot be run again by itself: push a new commit, or ask for an evaluation",
        ),
        (
            replace(OF_RELEASE, sha="c" * 40),
            "check drawbridge/evaluate-full cannot be run again by itself: push a new commit, or ask for an evaluation",
        ),
    ],
)
def test_everything_else_is_ignored_with_its_reason(event: Event, why: str) -> None:
    """The sender and the log read why nothing started."""
    assert reason(event) == why


@pytest.mark.parametrize("action", ["opened", "reopened", "synchronize", "ready_for_review", "edited"])
@pytest.mark.parametrize("base", ["develop", "main"])
def test_new_head_of_a_change_is_validated(action: str, base: str) -> None:
    """On its way to either branch; a fork's too, which the story treats with care."""
    request = ChangeRequest(HELPDESK, 7, SHA, "d-1", base=base)

    assert decided(replace(CHANGE, action=action, base_branch=base, fork=True)) == request


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"action": "closed"}, "closed"),
        ({"action": "closed", "merged": True}, "merged into develop"),
        ({"action": "closed", "merged": True, "base_branch": "main"}, "merged"),
        ({"action": "converted_to_draft", "draft": True}, "turned into a draft"),
        ({"action": "edited", "base_branch": "sam/1-y"}, "turned towards sam/1-y"),
    ],
)
def test_change_that_leaves_ends_what_runs_for_it(changed: dict[str, Any], why: str) -> None:
    """Whichever way it left."""
    assert decided(replace(CHANGE, **changed)) == EndChange(HELPDESK, 7, why)


@pytest.mark.parametrize(("action", "on"), [("labeled", True), ("unlabeled", False)])
def test_label_on_a_merged_change_is_a_toggle(action: str, on: bool) -> None:
    """Whatever the label: which one opts out, only the repository's config says."""
    toggle = decided(replace(CHANGE, action=action, label="any", merged=True, base_branch="main"))

    assert isinstance(toggle, ToggleOptOut)
    assert (toggle.number, toggle.label, toggle.on, toggle.by) == (7, "any", on, "sam")


def test_one_toggle_has_one_name_however_it_is_told() -> None:
    """Another delivery id is no other toggle; another label, direction or moment is."""
    labeled = replace(CHANGE, action="labeled", label="skip", merged=True, base_branch="main")
    others = [
        replace(labeled, delivery="d-2"),
        replace(labeled, label="Skip"),
        replace(labeled, label="slow"),
        replace(labeled, action="unlabeled"),
        replace(labeled, at="2026-11-23T09:00:01Z"),
    ]
    first, *rest = [toggle_id(decided(one)) for one in [labeled, *others]]  # type: ignore[arg-type]

    assert first.startswith("toggle-acme.helpdesk-7-20261123090000-on-")
    assert [name == first for name in rest] == [True, True, False, False, False]


@pytest.mark.parametrize("draft", [False, True])
def test_label_on_an_open_change_starts_no_validation(draft: bool) -> None:
    """It is looked at, under a name of its own; on a draft as well, since who moved it belongs into the audit log."""
    action = decided(replace(CHANGE, action="labeled", label="skip", draft=draft))

    assert isinstance(action, LookAtLabel)
    assert action.request == ChangeRequest(HELPDESK, 7, SHA, "d-1", base=CHANGE.base_branch)
    assert label_id(action).startswith(f"change-acme.helpdesk-7-{SHA}.label.20261123090000-on-")
    assert action.toggle == ToggleOptOut(
        HELPDESK, 7, "skip", True, CHANGE.sender, CHANGE.at, label_id(action).partition(".label.")[2]
    )


def test_other_words_on_an_open_change_start_no_validation() -> None:
    """The reason of its opt-out stands in the text, so its labels are looked at."""
    action = decided(replace(CHANGE, action="reworded"))

    assert isinstance(action, LookAtLabel)
    assert label_id(action).startswith(f"change-acme.helpdesk-7-{SHA}.label.20261123090000-")
    assert action.toggle is None
    assert reason(replace(CHANGE, action="reworded", merged=True)) == "change 7 is merged: its text counted then"


def test_comment_with_a_command_asks_for_an_evaluation() -> None:
    """Who may ask is another question."""
    ask = decided(COMMENT)

    assert ask == Ask(HELPDESK, 7, 501, "full", "sam")
    assert ask_id(Ask(HELPDESK, 7, 501, "full", "sam")) == "asked-acme.helpdesk-comment501-full"


@pytest.mark.parametrize(("shown", "next_attempt"), [("", 2), (".2", 3), (".9", 10)])
def test_check_of_a_change_asks_for_its_next_attempt(shown: str, next_attempt: int) -> None:
    """The attempt follows from the check, so pressing its button twice asks for one."""
    ask = decided(replace(CHECK, external_id=OF_CHANGE + shown))

    again = Ask(HELPDESK, 7, 0, VALIDATION, "sam", SHA, check=901, rerun="rerun901", attempt=next_attempt)
    assert ask == again
    assert ask_id(again) == "asked-acme.helpdesk-rerun901-validation-sam"


@pytest.mark.parametrize(
    ("check", "kind", "number"),
    [
        (OF_RELEASE, "full", None),
        (replace(OF_RELEASE, change=7), "full", None),
        (replace(OF_RELEASE, name="drawbridge/evaluate-minimal"), "minimal", None),
        (replace(CHECK, external_id=f"on-demand-acme.helpdesk-{SHA}-full-comment5", change=7), "full", 7),
        (replace(CHECK, external_id=f"continuous-acme.helpdesk-{SHA}-minimal-push"), "minimal", None),
    ],
)
def test_check_of_an_evaluation_asks_for_it_again(check: CheckEvent, kind: str, number: int | None) -> None:
    """As a comment would, so the person's rights are looked up; a release itself never runs twice."""
    again = Ask(HELPDESK, number, 0, kind, "sam", SHA, check=901, rerun="rerun901")

    assert decided(check) == again


def test_button_and_rerun_of_one_check_are_two_evaluations() -> None:
    """Both may be pressed, each once: neither may take the other's name."""
    pressed, again = decided(replace(OF_RELEASE, action="evaluate-full")), decided(OF_RELEASE)
    assert isinstance(pressed, Ask)
    assert isinstance(again, Ask)
    names = [evaluation_id(requested(ask, Standing("write", SHA))) for ask in (pressed, again)]

    where = f"on-demand-acme.helpdesk-{SHA}-full"
    assert names == [f"{where}-check901", f"{where}-rerun901"]
    assert ask_id(pressed) != ask_id(again)


@pytest.mark.parametrize("button", ["rerequested", "evaluate-full"])
def test_who_is_refused_keeps_nobody_else_from_pressing(button: str) -> None:
    """What it starts has one name, asking for it one for each person."""
    asks = [decided(replace(OF_RELEASE, action=button, sender=name)) for name in ("stranger", "maria", "Maria")]
    ids = [ask_id(ask) for ask in asks if isinstance(ask, Ask)]
    evaluations = {evaluation_id(requested(ask, Standing("write", SHA))) for ask in asks if isinstance(ask, Ask)}

    assert len(set(ids)) == 2
    assert len(evaluations) == 1


def test_all_checks_of_a_commit_are_asked_for_at_once() -> None:
    """Every delivery of one press has one name; GitHub's later press of the same suite has another."""
    ask, later = decided(SUITE), decided(replace(SUITE, at="2026-11-23T10:00:00Z", delivery="d-2"))

    assert ask == Ask(HELPDESK, 7, 0, ALL, "sam", SHA, check=31, rerun="suite31-20261123090000")
    assert decided(replace(SUITE, delivery="d-2")) == ask
    assert later != ask


def test_buttons_for_an_evaluation_ask_as_comments_do() -> None:
    """The person's rights are looked up before anything runs."""
    on_change = decided(replace(CHECK, action="evaluate-full"))
    on_release = decided(replace(OF_RELEASE, action="evaluate-minimal"))

    assert on_change == Ask(HELPDESK, 7, 0, "full", "sam", sha=SHA, check=901)
    assert on_release == Ask(HELPDESK, None, 0, "minimal", "sam", sha=SHA, check=901)


def test_check_of_another_repository_of_that_name_is_not_taken_for_ours() -> None:
    """The id names the organisation too."""
    other = replace(CHECK, external_id=f"change-contoso.helpdesk-7-{SHA}")

    assert reason(other).startswith("check drawbridge/change cannot be run again")


def test_repositories_of_one_name_never_mix() -> None:
    """Each organisation's has its own releases, changes, evaluations and toggles."""
    both = ("acme/helpdesk", "contoso/helpdesk")
    events: list[Event] = [
        PUSH,
        replace(PUSH, branch="develop"),
        CHANGE,
        COMMENT,
        replace(CHANGE, action="labeled", merged=True, base_branch="main"),
    ]
    actions = [[decided(replace(event, repository=name), both) for event in events] for name in both]

    assert all(one != other for one, other in zip(*actions, strict=True))
    assert release_id(both[0], SHA) != release_id(both[1], SHA)


def test_repository_is_spelled_as_it_is_configured() -> None:
    """GitHub treats Acme/Helpdesk and acme/helpdesk as one, and so do all names made from it."""
    request = decided(replace(PUSH, repository="Acme/HelpDesk"))

    assert request.repository == HELPDESK  # type: ignore[union-attr]
