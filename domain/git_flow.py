"""Which event starts what. Pure: an event in, actions out, or `Ignored` with the reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from domain.errors import Ignored
from domain.models import ChangeRequest, EvaluationRequest, ReleaseRequest

NO_COMMIT = "0" * 40


@dataclass(frozen=True)
class Push:
    """A branch moved. `after` is forty zeros when it was deleted."""

    repository: str
    branch: str
    before: str
    after: str
    pusher: str
    delivery: str
    forced: bool = False


@dataclass(frozen=True)
class ChangeEvent:
    """Something happened to a pull request; `action` is GitHub's word for it."""

    repository: str
    number: int
    action: str
    head: str  # sha
    head_branch: str
    base_branch: str
    draft: bool
    fork: bool  # its head is in another repository
    merged: bool
    label: str  # of `labeled` and `unlabeled`, else ""
    sender: str
    at: str  # when the change was last updated, UTC
    delivery: str


@dataclass(frozen=True)
class CommentEvent:
    """Somebody wrote on a pull request. `id` is the comment's."""

    repository: str
    number: int
    id: int
    body: str
    author: str
    delivery: str


@dataclass(frozen=True)
class CheckEvent:
    """A button on one of our check runs was pressed. `action` is `rerequested` or the button's identifier."""

    repository: str
    sha: str
    name: str  # of the check run
    external_id: str  # what we put there: the release's or change's instance id
    action: str
    sender: str
    delivery: str


@dataclass(frozen=True)
class OtherEvent:
    """A delivery that is well formed and starts nothing here, named for the log."""

    name: str
    repository: str
    delivery: str


Event = Push | ChangeEvent | CommentEvent | CheckEvent | OtherEvent


@dataclass(frozen=True)
class EndChange:
    """A change was closed or turned back into a draft: what runs for it ends. `head` is its sha."""

    repository: str
    number: int
    why: str


@dataclass(frozen=True)
class ToggleOptOut:
    """A label was put on a merged change, or taken off: its release looks at its opt-out again."""

    repository: str
    number: int
    label: str
    on: bool
    by: str
    at: str


@dataclass(frozen=True)
class Ask:
    """A comment asks for an evaluation of the change's head; whether its author may is asked of GitHub."""

    repository: str
    number: int
    comment: int
    kind: str
    by: str


Action = ReleaseRequest | ChangeRequest | EvaluationRequest | EndChange | ToggleOptOut | Ask


def decide(event: Event, repositories: Collection[str], release_branch: str) -> ReleaseRequest:
    """Return the release that an event asks for.

    `repositories` are the configured owner/name pairs, compared without case as GitHub does.
    Raises Ignored, with the reason, for everything that starts nothing.
    """
    if event.repository.lower() not in {name.lower() for name in repositories}:
        raise Ignored(f"repository {event.repository or '(none)'} is not configured here")
    if isinstance(event, OtherEvent):
        raise Ignored(f"event {event.name} starts nothing")
    if not isinstance(event, Push):
        raise Ignored("starts nothing yet")
    if event.branch != release_branch:
        raise Ignored(f"branch {event.branch} is not the release branch {release_branch}")
    if event.after == NO_COMMIT:
        raise Ignored(f"branch {event.branch} was deleted")
    return ReleaseRequest(
        repository=event.repository,
        sha=event.after,
        before=event.before,
        branch=event.branch,
        pusher=event.pusher,
        delivery=event.delivery,
    )


def web_app_name(repository: str, environment: str) -> str:
    """Name the web app of one repository's environment: two repositories never share one."""
    return f"{_flat(repository)}-{environment}"


def release_id(repository: str, sha: str) -> str:
    """Name the one release a commit can ever have: also its orchestration's instance id."""
    return f"release-{_flat(repository)}-{sha}"


def change_id(request: ChangeRequest) -> str:
    """Name the validation of one head of a change, and its orchestration's instance."""
    again = f".{request.attempt}" if request.attempt > 1 else ""
    return f"change-{_flat(request.repository)}-{request.number}-{request.sha}{again}"


def evaluation_id(request: EvaluationRequest) -> str:
    """Name an evaluation that is no part of a release, and its orchestration's instance."""
    return f"{request.source}-{_flat(request.repository)}-{request.sha}-{request.kind}-{request.key}"


def nightly_id(repository: str, date: str) -> str:
    """Name a repository's one nightly run of a date (YYYY-MM-DD)."""
    return f"nightly-{_flat(repository)}-{date}"


def _flat(repository: str) -> str:
    return repository.lower().replace("/", ".")
