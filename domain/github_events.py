"""GitHub's JSON as typed events, from webhooks and from lists: strict about what is used, blind to the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from domain.errors import BadRequest
from domain.git_flow import (
    REQUESTED,
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

T = TypeVar("T")
Json = Mapping[str, Any]

# What of a pull request's life is told to git_flow; the rest is named for the log only.
_CHANGES = frozenset(
    {
        "opened",
        "reopened",
        "synchronize",
        "ready_for_review",
        "edited",
        "closed",
        "converted_to_draft",
        "labeled",
        "unlabeled",
    }
)
REWORDED = "reworded"  # not GitHub's word: edited, and still towards the same branch
GHOST = "ghost"  # whom GitHub shows for an account that is gone


def read(name: str, payload: Any, delivery: str) -> Event:
    """Turn what a webhook delivers into a typed event. Raises BadRequest naming what lacks."""
    try:
        if not isinstance(payload, dict):
            raise BadRequest("it is no JSON object")
        reader = _READERS.get(name)
        event = reader(payload, delivery) if reader else None
    except BadRequest as error:
        message = f"The {name or 'unnamed'} event lacks what GitHub sends with it: {error}."
        raise BadRequest(message) from None
    return event or _other(name, payload, delivery)


def change(pull: Json, action: str, delivery: str, sender: str = "", label: str = "", at: str = "") -> ChangeEvent:
    """Read a pull request as GitHub shows it anywhere, at a moment of its life. `at` replaces its last update."""
    repository = need(pull, "base.repo.full_name", str)
    head = find(pull, "head.repo.full_name", str)  # none when the fork was deleted
    return ChangeEvent(
        repository=repository,
        number=need(pull, "number", int),
        action=action,
        head=sha(pull, "head.sha"),
        head_branch=need(pull, "head.ref", str),
        base_branch=need(pull, "base.ref", str),
        draft=bool(pull.get("draft")),
        fork=head is None or head.lower() != repository.lower(),
        merged=pull.get("merged_at") is not None,
        label=label,
        sender=sender,
        at=at or need(pull, "updated_at", str),
        delivery=delivery,
    )


def comment(said: Json, repository: str, number: int, delivery: str) -> CommentEvent:
    """Read a comment on a pull request as GitHub shows it anywhere."""
    return CommentEvent(
        repository=repository,
        number=number,
        id=need(said, "id", int),
        body=find(said, "body", str) or "",
        author=find(said, "user.login", str) or GHOST,
        delivery=delivery,
        bot=find(said, "user.type", str) == "Bot",
    )


def need(payload: Json, path: str, kind: type[T]) -> T:
    """Return what stands at a dotted path. Raises BadRequest naming the path unless it is of this kind."""
    found = find(payload, path, kind)
    if found is None:
        raise BadRequest(f"{path} is no {_WORDS.get(kind, kind.__name__)}")
    return found


def find(payload: Json, path: str, kind: type[T]) -> T | None:
    """Return what stands at a dotted path if it is of this kind."""
    value: Any = payload
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    # True is an int to Python, not to GitHub.
    return value if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)) else None


def sha(payload: Json, path: str) -> str:
    """Return the full commit sha at a dotted path. Raises BadRequest naming the path."""
    value = find(payload, path, str)
    if value is None or not re.fullmatch(r"[0-9a-f]{40}", value):
        raise BadRequest(f"{path} is no commit sha")
    return value


def _push(payload: Json, delivery: str) -> Push | None:
    ref = need(payload, "ref", str)
    if not ref.startswith("refs/heads/"):
        return None  # a tag
    return Push(
        repository=need(payload, "repository.full_name", str),
        branch=ref.removeprefix("refs/heads/"),
        before=sha(payload, "before"),
        after=sha(payload, "after"),
        pusher=find(payload, "pusher.name", str) or "",
        delivery=delivery,
        forced=bool(payload.get("forced")),
    )


def _change(payload: Json, delivery: str) -> ChangeEvent | None:
    action = need(payload, "action", str)
    if action not in _CHANGES:
        return None
    if action == "edited" and find(payload, "changes.base", dict) is None:
        action = REWORDED
    label = need(payload, "label.name", str) if action in ("labeled", "unlabeled") else ""
    sender = find(payload, "sender.login", str) or GHOST
    return change(need(payload, "pull_request", dict), action, delivery, sender, label)


def _group(payload: Json, delivery: str) -> GroupEvent | None:
    action = need(payload, "action", str)
    if action not in (REQUESTED, "destroyed"):
        return None
    return GroupEvent(
        repository=need(payload, "repository.full_name", str),
        branch=need(payload, "merge_group.head_ref", str).removeprefix("refs/heads/"),
        base_branch=need(payload, "merge_group.base_ref", str).removeprefix("refs/heads/"),
        head=sha(payload, "merge_group.head_sha"),
        action=(find(payload, "reason", str) or action) if action != REQUESTED else action,
        delivery=delivery,
    )


def _comment(payload: Json, delivery: str) -> CommentEvent | None:
    if need(payload, "action", str) != "created" or find(payload, "issue.pull_request", dict) is None:
        return None
    repository = need(payload, "repository.full_name", str)
    return comment(need(payload, "comment", dict), repository, need(payload, "issue.number", int), delivery)


def _check(payload: Json, delivery: str) -> CheckEvent | CheckPassed | None:
    action = need(payload, "action", str)
    if action == "completed" and find(payload, "check_run.conclusion", str) == "success":
        return CheckPassed(
            repository=need(payload, "repository.full_name", str),
            sha=sha(payload, "check_run.head_sha"),
            name=need(payload, "check_run.name", str),
            delivery=delivery,
        )
    if action == "requested_action":
        action = need(payload, "requested_action.identifier", str)
    elif action != "rerequested":
        return None
    return CheckEvent(
        repository=need(payload, "repository.full_name", str),
        id=need(payload, "check_run.id", int),
        sha=sha(payload, "check_run.head_sha"),
        name=need(payload, "check_run.name", str),
        external_id=find(payload, "check_run.external_id", str) or "",
        action=action,
        sender=find(payload, "sender.login", str) or GHOST,
        delivery=delivery,
        change=_first_change(payload, "check_run"),
    )


def _suite(payload: Json, delivery: str) -> SuiteEvent | None:
    if need(payload, "action", str) != "rerequested":
        return None
    return SuiteEvent(
        repository=need(payload, "repository.full_name", str),
        id=need(payload, "check_suite.id", int),
        sha=sha(payload, "check_suite.head_sha"),
        at=need(payload, "check_suite.updated_at", str),
        sender=find(payload, "sender.login", str) or GHOST,
        delivery=delivery,
        change=_first_change(payload, "check_suite"),
    )


def _first_change(payload: Json, checked: str) -> int | None:
    # GitHub lists no change of a fork there.
    pulls = find(payload, f"{checked}.pull_requests", list) or [{}]
    return find({"pull": pulls[0]}, "pull.number", int)


def _other(name: str, payload: Json, delivery: str) -> OtherEvent:
    action = find(payload, "action", str)
    repository = find(payload, "repository.full_name", str) or ""
    return OtherEvent(name=f"{name}.{action}" if action else name, repository=repository, delivery=delivery)


_WORDS: dict[type, str] = {str: "text", int: "number", dict: "object", list: "list"}
_READERS: dict[str, Callable[[Json, str], Event | None]] = {
    "push": _push,
    "pull_request": _change,
    "merge_group": _group,
    "issue_comment": _comment,
    "check_run": _check,
    "check_suite": _suite,
}
