"""Which commit is meant: the head of a branch or a change, a tag, or a sha that somebody wrote down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from github.Repository import Repository

from adapters.github_calls import Steady
from domain.errors import Forbidden, NotFound


@dataclass(frozen=True)
class Head:
    """The head of a change. A fork's code must never run beside our secrets."""

    sha: str
    fork: bool
    branch: str


def head_of_change(steady: Steady, place: Repository, number: int) -> Head:
    """Find the head of a change; see GitHub.head_of_change."""
    pull = steady.call(lambda: place.get_pull(number).complete())
    # GitHub answers null for the repository of a fork that was deleted.
    fork = pull.head.repo is None or pull.head.repo.full_name != pull.base.repo.full_name
    return Head(pull.head.sha, fork, pull.head.ref)


def head_of(steady: Steady, name: str, place: Repository, ref: str) -> str:
    """Find the commit of a branch or tag; see GitHub.head_of."""
    for find in (lambda: place.get_branch(ref).commit.sha, lambda: place.get_commit(f"tags/{ref}").complete().sha):
        try:
            return steady.call(find)
        except NotFound:
            continue
    steady.call(place.complete)  # says so when it is the repository that is not there
    raise NotFound(f"{name} has no branch or tag {ref!r}: check the name, or push it first.")


def commit_on(steady: Steady, name: str, place: Repository, sha: str, branches: Sequence[str]) -> str:
    """See that a commit is on one of the branches; see GitHub.commit_on."""
    full = steady.call(lambda: place.get_commit(sha).complete().sha)
    for branch in branches:
        try:
            if steady.call(lambda branch=branch: place.compare(branch, full).status) in ("behind", "identical"):  # type: ignore[misc]
                return full
        except NotFound:
            continue  # no such branch
    raise Forbidden(
        f"{sha[:12]} of {name} is not on {' or '.join(branches)}. GitHub also finds commits of forks here, whose code "
        "must not run beside our secrets: name the branch instead."
    )
