"""Which permissions are missing, each named with where to grant it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.onboarding_rights import Rights, missing, wishes

ALL = {
    **dict.fromkeys(("contents", "pull_requests", "issues", "checks", "statuses", "deployments"), "write"),
    **dict.fromkeys(("actions", "metadata", "administration", "members", "merge_queues"), "read"),
    "repository_hooks": "write",
}
APP = Rights("app", {}, "https://github.com/settings/apps/drawbridge/permissions", ALL)
TOKEN = Rights("classic", {"push": True, "admin": True}, "https://github.com/settings/tokens", {}, ("repo",))


def test_an_app_with_everything_lacks_nothing():
    """More than needed is enough."""
    assert missing(APP, hooks=True) == ()
    assert missing(replace(APP, permissions={**ALL, "actions": "write", "repository_hooks": "admin"}), hooks=True) == ()
    assert wishes(APP) == ()


@pytest.mark.parametrize(
    ("permission", "granted", "words"),
    [
        ("contents", "read", 'the App lacks the permission "Contents: write", for reading commits'),
        ("pull_requests", "", 'the App lacks the permission "Pull requests: write"'),
        ("issues", "read", 'the App lacks the permission "Issues: write"'),
        ("checks", "", 'the App lacks the permission "Checks: write"'),
        ("statuses", "odd", 'the App lacks the permission "Commit statuses: write"'),
        ("deployments", "", 'the App lacks the permission "Deployments: write"'),
        ("actions", "", 'the App lacks the permission "Actions: read"'),
        ("repository_hooks", "read", 'the App lacks the permission "Webhooks: write", for registering the webhook'),
    ],
)
def test_each_permission_an_app_lacks_is_named(permission, granted, words):
    """With what it is for and the page where it is granted."""
    (lacking,) = missing(replace(APP, permissions={**ALL, permission: granted}), hooks=True)

    assert lacking.startswith(words)
    assert "grant it at https://github.com/settings/apps/drawbridge/permissions" in lacking


def test_the_webhook_permission_is_needed_only_for_a_webhook():
    """In poll mode, or with the App's own webhook, nobody asks for it."""
    assert missing(replace(APP, permissions={**ALL, "repository_hooks": ""}), hooks=False) == ()


def test_what_only_helps_stops_nothing():
    """Seeing the protection and the teams, and hearing of merge queues."""
    few = replace(APP, permissions={**ALL, "administration": "", "members": "", "merge_queues": ""})

    assert missing(few, hooks=True) == ()
    assert [wish.split('"')[1] for wish in wishes(few)] == [
        "Administration: read",
        "Members: read",
        "Merge queues: read",
    ]


@pytest.mark.parametrize(
    ("token", "hooks", "words"),
    [
        (replace(TOKEN, scopes=("gist",)), True, 'the token lacks the scope "repo"'),
        (replace(TOKEN, scopes=("public_repo",)), False, 'the token lacks the scope "repo"'),
        (replace(TOKEN, scopes=("public_repo",), private=False), True, 'the token lacks the scope "write:repo_hook"'),
        (replace(TOKEN, role={"push": True}), True, 'the token\'s owner lacks the role "Admin" in the repository'),
        (replace(TOKEN, role={}), False, 'the token\'s owner lacks the role "Write" in the repository'),
        (replace(TOKEN, kind="fine-grained", role={"pull": True}), False, "the token's owner lacks the role"),
    ],
)
def test_what_a_token_lacks_is_named(token, hooks, words):
    """Its scope, or the role of whose token it is."""
    (lacking,) = missing(token, hooks)

    assert lacking.startswith(words)


def test_a_token_with_the_scope_and_the_role_is_enough():
    """A fine-grained one is not known before it is used: what it needs is listed instead."""
    assert missing(TOKEN, hooks=True) == ()
    assert missing(replace(TOKEN, scopes=("public_repo",), private=False), hooks=False) == ()
    assert wishes(TOKEN) == ()
    (wish,) = wishes(replace(TOKEN, kind="fine-grained"))
    assert "Contents: write, Pull requests: write, Issues: write, Commit statuses: write" in wish
