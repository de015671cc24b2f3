"""Ask GitHub how commits of the release branch stand to each other, where counting them does not tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


class Asked(Relations):
    """How commits stand to each other, each asked of GitHub when it is needed; nothing where GitHub does not tell.

    After one question without an answer it is not asked another one: a page waits for it.
    """

    def __init__(self, github: Callable[[], GitHub], repository: str) -> None:
        """Take who to ask, once there is something to ask."""
        self._github, self._repository, self._away = github, repository, False
        self._told: dict[tuple[str, str], str] = {}

    def __getitem__(self, pair: tuple[str, str]) -> str:
        if pair not in self._told and all(pair) and not self._away:
            one, other = pair
            try:
                relation = self._github().relation(self._repository, other, one)
                self._told |= {(one, other): relation, (other, one): OPPOSITE.get(relation, relation)}
            except DrawbridgeError:
                self._away = True
        return self._told[pair]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._told)

    def __len__(self) -> int:
        return len(self._told)


def newer_in(lane: Lane, release: str, mine: Place, github: Callable[[], GitHub], branch: str) -> dict[str, bool]:
    """Say which of a lane's commits are newer than a release's; nothing of those of which GitHub does not tell."""
    found: dict[str, bool] = {}
    for other in uncounted(lane, release, mine.position):
        with suppress(DrawbridgeError):  # who asks waits and looks again
            found[other.sha] = is_newer(github(), lane.repository, branch, other, mine)
    return found
