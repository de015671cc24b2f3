"""Ask GitHub how commits of the release branch stand to each other, where counting them does not tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from domain.branch_line import AHEAD, BEHIND, IDENTICAL, Compared, Place, is_newer
from domain.errors import DrawbridgeError
from domain.lanes import Lane, uncounted

if TYPE_CHECKING:
    from adapters.github import GitHub  # brings PyGithub, which is needed for rewritten branches only


def compare(github: GitHub, repository: str, branch: str, sha: str, other: str) -> Compared:
    """Say how a commit stands to another one, and which of them the branch has now."""
    relation = github.relation(repository, other, sha)
    if relation in (AHEAD, IDENTICAL):
        return Compared(relation)
    has = [github.relation(repository, branch, one) in (BEHIND, IDENTICAL) for one in (sha, other)]
    return Compared(relation, *has)


def newer_in(lane: Lane, release: str, mine: Place, github: Callable[[], GitHub], branch: str) -> dict[str, bool]:
    """Say which of a lane's commits are newer than a release's; nothing of those of which GitHub does not tell."""
    found: dict[str, bool] = {}
    for other in uncounted(lane, release, mine.position):
        try:
            compared = compare(github(), lane.repository, branch, mine.sha, other.sha)
        except DrawbridgeError:
            continue  # who asks waits and looks again
        found[other.sha] = is_newer(other, mine, compared)
    return found
