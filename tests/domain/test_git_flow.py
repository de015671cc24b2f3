"""Which event starts what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.errors import Ignored
from domain.git_flow import NO_COMMIT, OtherEvent, Push, decide, release_id

PUSH = Push("acme/helpdesk", "main", "b" * 40, "a" * 40, "sam", "d-1")
CONFIGURED = ("acme/helpdesk",)


def test_push_to_the_release_branch_starts_a_release() -> None:
    """The request carries what the push said."""
    request = decide(PUSH, CONFIGURED, "main")

    assert (request.repository, request.sha, request.before) == ("acme/helpdesk", "a" * 40, "b" * 40)
    assert (request.branch, request.pusher, request.delivery) == ("main", "sam", "d-1")


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (replace(PUSH, repository="evil/helpdesk"), "repository evil/helpdesk is not configured here"),
        (replace(PUSH, branch="develop"), "branch develop is not the release branch main"),
        (replace(PUSH, branch="main2"), "branch main2 is not the release branch main"),
        (replace(PUSH, after=NO_COMMIT), "branch main was deleted"),
        (OtherEvent("pull_request.labeled", "acme/helpdesk", "d"), "event pull_request.labeled starts nothing"),
        (OtherEvent("ping", "", "d"), "repository (none) is not configured here"),
    ],
)
def test_everything_else_is_ignored_with_its_reason(event: Push | OtherEvent, reason: str) -> None:
    """The sender and the log read why nothing started."""
    with pytest.raises(Ignored) as caught:
        decide(event, CONFIGURED, "main")

    assert str(caught.value) == reason


def test_repository_names_are_compared_without_case() -> None:
    """GitHub treats Acme/Helpdesk and acme/helpdesk as one, and so does the release's name."""
    request = decide(replace(PUSH, repository="Acme/Helpdesk"), CONFIGURED, "main")

    assert release_id(request.repository, request.sha) == f"release-acme.helpdesk-{'a' * 40}"
