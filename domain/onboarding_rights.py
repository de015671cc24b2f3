"""What the App or token has to be allowed to do on GitHub, and what is missing, in words that say where to grant it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

EVENTS = ("push", "pull_request", "merge_group", "issue_comment", "check_run", "check_suite")

_LEVELS = ("", "read", "write", "admin")
_NEEDED = {
    "contents": ("write", "reading commits, merging changes, opening the onboarding pull request"),
    "pull_requests": ("write", "reading changes, and opening the onboarding pull request"),
    "issues": ("write", "labels, comments and the issue about a nightly regression"),
    "checks": ("write", "check runs with a summary and buttons"),
    "statuses": ("write", "statuses on commits"),
    "deployments": ("write", "deployments with their environment and log"),
    "actions": ("read", "results of the repository's own workflows"),
    "metadata": ("read", "reading the repository at all"),
}
_HOOKS = ("repository_hooks", "write", "registering the webhook")
_WISHES = {
    "administration": ("read", "seeing whether the branches are protected"),
    "members": ("read", "approvers that are teams"),
    "merge_queues": ("read", "event from merge queues: only the reconciler notices them, some minutes later"),
}


@dataclass(frozen=True)
class Rights:
    """How we are signed in and what GitHub tells about it. `permissions` of an App, `scopes` of a classic token."""

    kind: str  # app | classic | fine-grained
    role: Mapping[str, bool]  # push, admin: of the token's owner
    grant_at: str  # where the App's or token's permissions are changed
    permissions: Mapping[str, str]
    scopes: Collection[str] = ()
    events: Collection[str] = ()  # that the App subscribes to
    private: bool = True


def missing(rights: Rights, hooks: bool) -> tuple[str, ...]:
    """List what has to be granted before anything works. `hooks` says whether a webhook is to be registered."""
    if rights.kind == "app":
        needed = {**_NEEDED, **({_HOOKS[0]: _HOOKS[1:]} if hooks else {})}
        return tuple(
            f'the App lacks the permission "{_title(name)}: {level}", for {why}: grant it at {rights.grant_at}, '
            "then an owner of the repository accepts it in the mail that GitHub sends"
            for name, (level, why) in needed.items()
            if not _enough(rights.permissions.get(name, ""), level)
        )
    return (*_scopes(rights, hooks), *_role(rights, hooks))


def wishes(rights: Rights) -> tuple[str, ...]:
    """List what would help, and is not needed."""
    if rights.kind == "app":
        return tuple(
            f'without the permission "{_title(name)}: {level}" there is no {why} ({rights.grant_at})'
            for name, (level, why) in _WISHES.items()
            if not _enough(rights.permissions.get(name, ""), level)
        )
    if rights.kind == "fine-grained":
        asked = ", ".join(f"{_title(name)}: {level}" for name, (level, _) in _NEEDED.items() if name != "checks")
        return (f"GitHub does not tell what a fine-grained token may do; it needs {asked} ({rights.grant_at})",)
    return ()


def _scopes(rights: Rights, hooks: bool) -> tuple[str, ...]:
    if rights.kind != "classic" or "repo" in rights.scopes:
        return ()
    at = f"grant it at {rights.grant_at}"
    lacking = []
    if rights.private or "public_repo" not in rights.scopes:
        lacking.append(f'the token lacks the scope "repo", for everything in the repository: {at}')
    elif hooks and not {"admin:repo_hook", "write:repo_hook"} & set(rights.scopes):
        lacking.append(f'the token lacks the scope "write:repo_hook", for registering the webhook: {at}')
    return tuple(lacking)


def _role(rights: Rights, hooks: bool) -> tuple[str, ...]:
    role, why = ("admin", "registering the webhook") if hooks else ("push", "opening the pull request")
    if rights.role.get(role):
        return ()
    wanted = {"admin": "Admin", "push": "Write"}[role]
    return (
        f'the token\'s owner lacks the role "{wanted}" in the repository, for {why}: '
        "an administrator gives it under Settings → Collaborators and teams",
    )


def _enough(granted: str, needed: str) -> bool:
    return granted in _LEVELS and _LEVELS.index(granted) >= _LEVELS.index(needed)


def _title(name: str) -> str:
    return {"repository_hooks": "Webhooks", "statuses": "Commit statuses"}.get(
        name, name.replace("_", " ").capitalize()
    )
