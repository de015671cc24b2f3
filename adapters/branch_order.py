"""Ask GitHub how commits of the release branch stand to each other, where counting them does not tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from domain import branch_line
from domain.branch_line import AHEAD, BEHIND, IDENTICAL, OPPOSITE, Compared, Place, Relations, counts
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


def is_newer(github: GitHub, repository: str, branch: str, other: Place, mine: Place) -> bool:
    """Say whether the other commit is newer than mine. Raises DrawbridgeError when GitHub does not tell."""
    if counts(other.position, mine.position):
        return other.position > mine.position
    return branch_line.is_newer(other, mine, compare(github, repository, branch, mine.sha, other.sha))


def relations(github: Callable[[], GitHub], repository: str, pairs: Iterable[tuple[Place, Place]]) -> Relations:
    """Say how commits stand to each other where counting does not tell; nothing where GitHub does not tell either."""
    found: dict[tuple[str, str], str] = {}
    for one, other in pairs:
        if one.sha and not counts(one.position, other.position):
            with suppress(DrawbridgeError):
                relation = github().relation(repository, other.sha, one.sha)
                found |= {(one.sha, other.sha): relation, (other.sha, one.sha): OPPOSITE.get(relation, relation)}
    return found


def newer_in(lane: Lane, release: str, mine: Place, github: Callable[[], GitHub], branch: str) -> dict[str, bool]:
    """Say which of a lane's commits are newer than a release's; nothing of those of which GitHub does not tell."""
    found: dict[str, bool] = {}
    for other in uncounted(lane, release, mine.position):
        with suppress(DrawbridgeError):  # who asks waits and looks again
            found[other.sha] = is_newer(github(), lane.repository, branch, other, mine)
    return found
