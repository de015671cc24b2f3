"""Which event starts what. Pure: an event in, a request out, or `Ignored` with the reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from domain.errors import Ignored
from domain.models import ReleaseRequest

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


@dataclass(frozen=True)
class OtherEvent:
    """A delivery that is well formed and starts nothing here, named for the log."""

    name: str
    repository: str
    delivery: str


def decide(event: Push | OtherEvent, repositories: Collection[str], release_branch: str) -> ReleaseRequest:
    """Return the release that an event asks for.

    `repositories` are the configured owner/name pairs, compared without case as GitHub does.
    Raises Ignored, with the reason, for everything that starts nothing.
    """
    if event.repository.lower() not in {name.lower() for name in repositories}:
        raise Ignored(f"repository {event.repository or '(none)'} is not configured here")
    if isinstance(event, OtherEvent):
        raise Ignored(f"event {event.name} starts nothing")
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
    return f"{repository.lower().replace('/', '.')}-{environment}"


def release_id(repository: str, sha: str) -> str:
    """Name the one release a commit can ever have: also its orchestration's instance id."""
    return f"release-{repository.lower().replace('/', '.')}-{sha}"
