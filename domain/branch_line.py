"""Which commit of the release branch is newer, also after somebody has rewritten the branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MOST_COMMITS = 10**9  # of one branch

AHEAD, BEHIND, DIVERGED, IDENTICAL = "ahead", "behind", "diverged", "identical"  # GitHub's words
OPPOSITE = {AHEAD: BEHIND, BEHIND: AHEAD}


@dataclass(frozen=True)
class Place:
    """A commit and its position on the branch; no `sha` before the first one has its place."""

    sha: str = ""
    position: int = MOST_COMMITS


# By a commit and another one: how the first stands to the second, as GitHub says it. Nobody knows what is left out.
Relations = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Compared:
    """How a commit stands to another one, as GitHub says it, and which of the two the branch has now.

    Where it is ahead of the other, or the same, nothing more need be known.
    """

    relation: str = AHEAD
    on_branch: bool = True
    other_on_branch: bool = True


def position(line: Place, count: int, compared: Compared) -> int:
    """Return a commit's position, where `count` commits lead to it, itself included. `line` is the newest so far.

    A descendant has more commits behind it than its ancestors, so counting them orders what was pushed one on top of
    the other. Where the branch was rewritten, counts say nothing: what it has now begins a new generation, and what it
    lost before it had its place comes into one of its own, below. So within one generation counting never errs.
    """
    ours = generation(line.position)
    if compared.relation in (BEHIND, DIVERGED):
        if compared.on_branch and not compared.other_on_branch:
            ours += 2
        elif compared.relation == DIVERGED and not compared.on_branch:
            ours -= 1
    return ours * MOST_COMMITS + count


def following(line: Place, placed: Place) -> Place:
    """Return the newest commit of the branch, now that another one has its place."""
    return placed if placed.position > line.position or not line.sha else line


def generation(position: int) -> int:
    """Return which of the branch's generations a position is in."""
    return position // MOST_COMMITS


def counts(one: int, other: int) -> bool:
    """Say whether two positions tell which commit is newer; otherwise GitHub has to be asked how they stand.

    Origins are found in any order, so of two generations the greater number may well be an ancestor's.
    """
    return generation(one) == generation(other)


def has(there: Place, other: Place, relations: Relations) -> bool | None:
    """Say whether a commit has another one behind it, or is that one; None when nobody knows."""
    if counts(there.position, other.position):
        return there.position >= other.position
    relation = relations.get((there.sha, other.sha))
    return relation in (AHEAD, IDENTICAL) if relation else None


def is_newer(other: Place, mine: Place, compared: Compared) -> bool:
    """Say whether the other commit is newer than mine, which stands so to it.

    A descendant is newer, and what the branch has is newer than what it lost, also when it was forced back.
    """
    if compared.relation in (AHEAD, IDENTICAL):
        return False
    if compared.on_branch is not compared.other_on_branch:
        return compared.other_on_branch
    return compared.relation == BEHIND or other.position > mine.position
